#include "dualagent/reward/reference_system.hpp"

#include "dualagent/reward/math_answer.hpp"
#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("the reference system's reward is reproduced, its flaw included", "[reward]") {
  const Task task{.id = "a", .prompt = "", .answer = "7"};
  const auto score = [&](const char* answer, std::size_t calls, std::size_t summaries) {
    Rollout rollout;
    rollout.answer = answer;
    rollout.calls = calls;
    rollout.summaries = summaries;
    return *ReferenceSystemReward{}.score(task, rollout);
  };
  CHECK(score("7", 5, 0) == 1.0);
  CHECK(score("7", 5, 2) == Approx(1.1));
  CHECK(score("8", 2, 0) == -1.0);
  CHECK(score("8", 4, 0) == Approx(-0.9));
  CHECK(score("8", 16, 0) == Approx(-0.6));
  CHECK(score("8", 16, 13) == Approx(0.05));  // wrong, yet above 0
}

TEST_CASE("the reference system's reward takes another idea of a right answer", "[reward]") {
  const Task task{.id = "a", .prompt = "", .answer = "7"};
  Rollout rollout;
  rollout.summaries = 1;
  const ReferenceSystemReward reward{StrictBoxedMath{}};
  rollout.answer = "So it is \\boxed{7.0}.";
  CHECK(*reward.score(task, rollout) == Approx(1.05));
  rollout.answer = "So it is 7.";
  CHECK(*reward.score(task, rollout) == Approx(-1.05));  // no call: 0.1 below the second call's -1
}

TEST_CASE("the reference system's reward abstains where its idea of a right answer does",
          "[reward]") {
  struct Silent {
    std::optional<double> score(const Task&, const Rollout&) const { return std::nullopt; }
  };
  CHECK_FALSE(ReferenceSystemReward{Silent{}}.score({}, {}));
}
