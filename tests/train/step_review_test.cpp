#include "dualagent/train/step_review.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/warnings.hpp"

using namespace dualagent;

namespace {

enum class Compares { groups, nothing };

/// Four rollouts of which some taught something.
StepMetrics healthy() {
  StepMetrics metrics;
  metrics.step = 2;
  metrics.rollouts = 4;
  metrics.live_groups = 1;
  metrics.with_advantage = 4;
  metrics.trained_tokens = 12;
  return metrics;
}

std::vector<Rollout> ended(RolloutStatus status, const std::string& ending) {
  std::vector<Rollout> rollouts(4);
  for (Rollout& rollout : rollouts) {
    rollout.status = status;
    rollout.ending = ending;
  }
  return rollouts;
}

std::string reason(StepMetrics metrics, const std::vector<Rollout>& rollouts,
                   Compares compares = Compares::groups) {
  StepReview().look(metrics, rollouts, compares == Compares::groups, false);
  return metrics.nothing_learned;
}

}  // namespace

TEST_CASE("a step that taught something has nothing to say", "[train]") {
  Warnings warnings;
  StepMetrics metrics = healthy();
  StepReview().look(metrics, ended(RolloutStatus::finished, "answered"), true, true);
  CHECK(metrics.nothing_learned.empty());
  CHECK(warnings.count() == 0);
}

TEST_CASE("a step that taught nothing says why", "[train]") {
  StepMetrics equal = healthy();
  equal.with_advantage = equal.live_groups = 0;
  CHECK(reason(equal, ended(RolloutStatus::finished, "answered")) ==
        "within each group all rewards are equal");
  CHECK(reason(equal, {}, Compares::nothing).empty());  // the reward itself is the advantage
  StepMetrics cut = equal;
  cut.truncated = 4;
  CHECK(reason(cut, ended(RolloutStatus::truncated, "context limit")) ==
        "within each group all rewards are equal; all of them met a limit: context limit");
  StepMetrics aborted = equal;
  aborted.aborted = 4;
  CHECK(reason(aborted, ended(RolloutStatus::aborted, "aborted: the server is gone")) ==
        "all 4 rollouts were aborted: aborted: the server is gone");
  StepMetrics masked = healthy();
  masked.trained_tokens = 0;
  CHECK(reason(masked, {}) == "the view trains no token of all 4 rollouts");
}

TEST_CASE("a rollout that was aborted is told of once, with its reason", "[train]") {
  StepMetrics metrics = healthy();
  metrics.aborted = 1;
  std::vector<Rollout> rollouts = ended(RolloutStatus::finished, "answered");
  rollouts[2].status = RolloutStatus::aborted;
  rollouts[2].ending = "aborted: the server is gone";
  Warnings warnings;
  StepReview review;
  review.look(metrics, rollouts, true, true);
  review.look(metrics, rollouts, true, true);
  CHECK(warnings.count() == 1);
  CHECK(warnings.text() ==
        "step 2: 1 of 4 rollouts left the statistics: aborted: the server is gone. "
        "StepMetrics::aborted counts those of later steps\n");
}

TEST_CASE("what looks wrong is said once a run, by one rank", "[train]") {
  StepMetrics metrics = healthy();
  metrics.with_advantage = 0;
  metrics.tool_calls = 5;
  metrics.tools = {{.name = "look", .calls = 5, .failures = 5}};
  std::vector<Rollout> rollouts(1);
  rollouts[0].tool_uses = {
      {.tool = "look", .status = ToolStatus::failed, .problem = "'look' failed: no disk"}};
  Warnings warnings;
  StepReview review;
  review.look(metrics, rollouts, true, false);
  CHECK(warnings.count() == 0);
  for (int step = 0; step < 3; ++step) review.look(metrics, rollouts, true, true);
  CHECK(warnings.count() == 2);
  CHECK_THAT(warnings.text(), ContainsSubstring("step 2: nothing could be learned: within each"));
  CHECK_THAT(warnings.text(), ContainsSubstring("all 5 calls of the tool 'look' failed; the model "
                                                "was told: 'look' failed: no disk"));
}

TEST_CASE("calls that are never understood are warned of", "[train]") {
  Warnings warnings;
  StepMetrics metrics = healthy();
  metrics.tool_calls = 9;
  metrics.unknown_tool_calls = 9;
  metrics.tools = {{.name = "look_up"}};
  std::vector<Rollout> rollouts(1);
  rollouts[0].tool_uses = {{.tool = "lookup",
                            .status = ToolStatus::unknown_tool,
                            .problem = "unknown tool 'lookup'; the tools are: look_up"}};
  StepReview review;
  review.look(metrics, rollouts, true, true);
  CHECK_THAT(warnings.text(),
             ContainsSubstring("all 9 tool calls named tools that there are not") &&
                 ContainsSubstring("the tools are: look_up"));
  metrics.tool_calls = 20;  // half of them known and refused
  metrics.tools = {{.name = "look_up", .calls = 11, .refusals = 11}};
  review.look(metrics, rollouts, true, true);
  CHECK_THAT(warnings.text(),
             ContainsSubstring("all 11 calls of the tool 'look_up' had arguments"));
  metrics.tools = {{.name = "add", .calls = 3, .failures = 3}};  // may be chance
  review.look(metrics, rollouts, true, true);
  CHECK(warnings.count() == 2);
}

TEST_CASE("a fall of the rewards is told of once, by a rank that speaks", "[train]") {
  const auto look = [](bool speaks) {
    Warnings warnings;
    StepReview review;
    for (std::size_t step = 0; step < 12; ++step) {
      StepMetrics metrics = healthy();
      metrics.step = step;
      std::vector<Rollout> rollouts(64);
      for (Rollout& rollout : rollouts) rollout.reward = step < 5 ? 1 : 0;
      review.look(metrics, rollouts, true, speaks);
    }
    return warnings.text();
  };
  CHECK(look(true) ==
        "step 9: the mean reward has fallen from 1 in steps 0 to 4 to 0 in steps 5 to 9. Unless "
        "the tasks have become harder, the learning rate is too large: go on from an earlier "
        "checkpoint with a third of it\n");
  CHECK(look(false).empty());
}
