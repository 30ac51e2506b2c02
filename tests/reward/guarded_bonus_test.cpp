#include "dualagent/reward/guarded_bonus.hpp"

#include <cmath>
#include <span>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

namespace {

struct Gives {
  std::optional<double> value;
  std::optional<double> score(const Task&, const Rollout&) const { return value; }
};

std::optional<double> sum(std::optional<double> base, std::optional<double> bonus, double weight) {
  const GuardedBonus reward{Gives{base}, Gives{bonus}, weight};
  const Task task;
  const Rollout rollout;
  const std::optional<double> alone = reward.score(task, rollout);
  const std::vector<ScoreRequest> requests(3, {&task, &rollout});
  std::vector<std::optional<double>> together(3);
  score_all(reward, std::span(requests), std::span(together));
  for (const std::optional<double>& score : together) CHECK(score == alone);
  return alone;
}

}  // namespace

TEST_CASE("a guarded bonus counts in full for a right answer", "[reward]") {
  CHECK(sum(1.0, 0.5, 2.0) == 2.0);
  CHECK(sum(1.0, -0.5, 1.0) == 0.5);
}

TEST_CASE("a guarded bonus makes a wrong answer less bad, never good", "[reward]") {
  CHECK(sum(-1.0, 0.5, 1.0) == -0.5);
  CHECK(sum(-1.0, 1.0, 5.0) == 0.0);
  CHECK(sum(0.0, 1.0, 5.0) == 0.0);
  CHECK(sum(0.0, -1.0, 5.0) == -5.0);
}

TEST_CASE("a guarded bonus abstains where base or bonus does", "[reward]") {
  CHECK(sum(std::nullopt, 1.0, 1.0) == std::nullopt);
  CHECK(sum(1.0, std::nullopt, 1.0) == std::nullopt);
}

TEST_CASE("a weight that is not finite is refused, and what its parts refuse", "[reward]") {
  const auto refusal = [](const auto& reward) { return error_of([&] { validate_all(reward); }); };
  CHECK_THAT(refusal(GuardedBonus{ExactMatch{}, ExactMatch{}, std::nan("")}),
             ContainsSubstring("weight is nan (GuardedBonus)"));
  CHECK_THAT(refusal(GuardedBonus{ExactMatch{}, ExactMatch{.success = std::nan("")}, 1.0}),
             ContainsSubstring("success is nan"));
}
