/// The ways in which the reference system's rewards can be had without solving the task.

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dualagent/collective/local.hpp"
#include "dualagent/objective/advantage.hpp"
#include "dualagent/reward/format_reward.hpp"
#include "dualagent/reward/guarded_bonus.hpp"
#include "dualagent/reward/judge.hpp"
#include "dualagent/reward/math_answer.hpp"
#include "dualagent/reward/overlong_penalty.hpp"
#include "dualagent/reward/per_call_bonus.hpp"
#include "dualagent/reward/reference_system.hpp"
#include "dualagent/reward/reward_sum.hpp"
#include "dualagent/reward/token_f1.hpp"
#include "dualagent/train/step_rollouts.hpp"
#include "support/answering.hpp"
#include "support/catch.hpp"

using namespace dualagent;

namespace {

const Task kTask{.id = "sum", .prompt = "3+4", .answer = "7"};

/// Finds everything perfect.
struct Flatterer {
  std::string complete(const ChatRequest&) const { return R"({"quality": 10})"; }
};
const Flatterer kFlatterer;

struct EverySummary {  // a work for each summary that the rollout claims
  std::vector<JudgedItem> items(const Task&, const Rollout& rollout) const {
    return std::vector<JudgedItem>(rollout.summaries, JudgedItem{.work = "summary"});
  }
};

Judge<Flatterer, EverySummary> flattering_judge() {
  return {kFlatterer, EverySummary{}, {.rubric = {{"quality", "How good is it?"}}}};
}

/// Checks a property of every reward that says how well a task was solved.
template <class Check>
void for_each_task_reward(Check&& check) {
  check(ExactMatch{.failure = -1.0});
  check(BoxedMath{.failure = -1.0});
  check(HashedMath{.failure = -1.0});
  check(TokenF1{});
  check(PerCallBonus<ExactMatch>{
      .base = {.failure = -1.0}, .bonus_per_call = 0.5, .max_bonus = 10.0});
  check(GuardedBonus{ExactMatch{.failure = -1.0}, flattering_judge(), 10.0});
  check(GuardedBonus{ExactMatch{}, FormatReward{}, 10.0});
}

}  // namespace

TEST_CASE("the reference system's wrong answer is lifted above 0 by summaries; none of ours is",
          "[reward]") {
  const Rollout wrong = answering("8", 16, 15);
  CHECK(*ReferenceSystemReward{}.score(kTask, wrong) > 0.0);
  for_each_task_reward([&](const auto& reward) { CHECK(*reward.score(kTask, wrong) <= 0.0); });
}

TEST_CASE("no number of calls and summaries makes a wrong answer as good as a right one",
          "[reward]") {
  for_each_task_reward([&](const auto& reward) {
    const double right = *reward.score(kTask, answering("7"));
    CHECK(right > 0.0);
    for (const std::size_t many : {0u, 1u, 16u, 1000u})
      CHECK(*reward.score(kTask, answering("8", many, many)) < right);
  });
}

TEST_CASE("a summary earns nothing by itself", "[reward]") {
  const auto check = [](const auto& reward) {
    for (const char* answer : {"7", "8"})
      CHECK(reward.score(kTask, answering(answer, 3, 15)) ==
            reward.score(kTask, answering(answer, 3, 0)));
  };
  check(ExactMatch{});
  check(BoxedMath{});
  check(HashedMath{});
  check(TokenF1{});
  check(FormatReward{});
  check(OverlongPenalty{});
  check(PerCallBonus<ExactMatch>{});
  check(RewardSum{Weighted{1.0, ExactMatch{}}, Weighted{0.5, FormatReward{}}});
}

TEST_CASE("a judge's grade is a mean: 15 good summaries earn what one does", "[reward]") {
  const GuardedBonus reward{ExactMatch{}, flattering_judge(), 0.5};
  CHECK(reward.score(kTask, answering("7", 0, 1)) == 1.5);
  CHECK(reward.score(kTask, answering("7", 0, 15)) == 1.5);
}

TEST_CASE("giving up is never better than a wrong answer", "[reward]") {
  for_each_task_reward([&](const auto& reward) {
    Rollout truncated = answering(std::nullopt);
    truncated.status = RolloutStatus::truncated;
    CHECK(*reward.score(kTask, truncated) <= *reward.score(kTask, answering("8")));
  });
}

TEST_CASE("a discarded rollout has no place in its group, so it cannot beat a wrong one",
          "[reward][train]") {
  const auto advantages = [](std::vector<Rollout> played) {
    StepRollouts step(played.size(), {});
    LocalCollective alone;
    step.play_groups(
        std::span(&kTask, 1), RandomStream::from_seed(0),
        [&](const std::vector<RolloutStart>& starts, const RandomStream&) {
          for (const RolloutStart& start : starts) played[start.member].member = start.member;
          return played;
        },
        ExactMatch{.failure = -1.0}, alone);
    step.estimate_advantages(GroupCentered{});
    std::vector<double> found;
    for (std::size_t i = 0; i < played.size(); ++i) found.push_back(step.advantage(i).before_fork);
    return found;
  };
  Rollout discarded = answering(std::nullopt);
  discarded.status = RolloutStatus::aborted;
  const std::vector<double> with =
      advantages({answering("7"), discarded, answering("8"), answering("8")});
  // Rewards 1, -1, -1 have the mean -1/3, whatever was discarded beside them.
  CHECK(with[0] == Approx(4.0 / 3));
  CHECK(with[1] == 0.0);
  CHECK(with[2] == Approx(-2.0 / 3));
  CHECK(with[3] == Approx(-2.0 / 3));
  // Had it counted with reward 0, as in the reference system, two wrong answers and a discarded one
  // would praise giving up: nothing of the kind here.
  const std::vector<double> all_wrong = advantages({answering("8"), discarded, answering("8")});
  CHECK(all_wrong == std::vector<double>{0.0, 0.0, 0.0});
}
