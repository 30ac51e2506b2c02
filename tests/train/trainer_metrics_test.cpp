#include <cstddef>
#include <span>
#include <vector>

#include "dualagent/train/trainer.hpp"
#include "support/answer_or_call.hpp"
#include "support/bigram_model.hpp"
#include "support/catch.hpp"
#include "support/guessing_pair.hpp"
#include "support/toy_protocol.hpp"
#include "support/witness_model.hpp"

using namespace dualagent;

using guessing::five_tasks;
using guessing::protocol;

TEST_CASE("a step says its learning rate and how far it is from the reference", "[train]") {
  const auto step = [](auto regularizer, std::size_t epochs) {
    BigramModel model = guessing::model();
    Trainer trainer{SharedWeights{model},
                    protocol(),
                    ExactMatch{},
                    Recipe{Objective{GroupNormalized{}, ClipLoss{}, GlobalTokenMean{},
                                     NoCorrection{}, regularizer}},
                    LocalCollective{},
                    {.group_size = 8,
                     .minibatches = 1,
                     .epochs = epochs,
                     .update = {.optimizer = {.learning_rate = 0.5}},
                     .seed = 2}};
    return trainer.step(five_tasks(8), 0.25);
  };
  CHECK(step(NoRegularizer{}, 1).learning_rate == 0.125);
  CHECK(!step(NoRegularizer{}, 1).kl_to_reference);
  // Before the first update the policy is the reference, but for the reference's rounding.
  CHECK(step(KlPenalty<K3>{}, 1).kl_to_reference.value() == Approx(0).margin(1e-12));
  CHECK(step(KlPenalty<K3>{}, 2).kl_to_reference.value() > 1e-3);
}

TEST_CASE("equal rewards beside a KL term clip nothing", "[train]") {
  BigramModel model = guessing::model();
  Trainer trainer{SharedWeights{model},
                  protocol(),
                  ExactMatch{},
                  Recipe{Objective{GroupNormalized{}, ClipLoss{}, GlobalTokenMean{}, NoCorrection{},
                                   KlPenalty<K3>{}}},
                  LocalCollective{},
                  {.group_size = 4, .minibatches = 1, .seed = 2}};
  const std::vector<Task> never{{.id = "never", .prompt = "1", .answer = "none"}};
  const StepMetrics metrics = trainer.step(never);
  CHECK(metrics.live_groups == 0);
  CHECK(metrics.trained_tokens > 0);
  CHECK(metrics.clip_fraction == 0);
}

TEST_CASE("the clip fraction is counted anew from ratios and advantages", "[train]") {
  // Two equal epochs of one minibatch at a great learning rate: in the second, ratios are far off.
  BigramModel model = guessing::model();
  Trainer trainer{SharedWeights{model},
                  protocol(),
                  ExactMatch{},
                  Recipe{Grpo{}},
                  LocalCollective{},
                  {.group_size = 16,
                   .minibatches = 1,
                   .epochs = 2,
                   .update = {.optimizer = {.learning_rate = 0.5F}},
                   .seed = 2}};
  const std::vector<Task> tasks = five_tasks(4);
  const StepMetrics metrics = trainer.step(tasks);
  REQUIRE(metrics.updates == 2);
  CHECK(metrics.clip_fraction > 0.05);
  CHECK(metrics.clip_fraction < 0.5);  // nothing is clipped in the first epoch
}

TEST_CASE("every token that was sampled is counted, whatever became of it", "[train]") {
  // The model itself counts what it sampled: rollouts, forks, groups that were replaced.
  const auto step = [](SummaryForks forks, std::size_t spare) {
    WitnessModel model{toy::vocab, answer_or_call};
    Trainer trainer{SharedWeights{model},
                    Protocol{toy::Dialect{}, toy::Tools{toy::Successor<>{}}, TurnCount{.turns = 1},
                             ReplaceBySummary{}, RolloutLimits{.max_turns = 3}},
                    ExactMatch{},
                    Recipe{Dapo{}},
                    LocalCollective{},
                    {.group_size = 4, .minibatches = 1, .summary_forks = forks, .seed = 3}};
    const std::vector<Task> tasks(8, {.id = "t", .prompt = "1", .answer = "5"});
    const StepMetrics metrics =
        trainer.step(std::span(tasks).first(2), 1.0, std::span(tasks).first(spare));
    CHECK(metrics.sampled_tokens == static_cast<double>(model.sampled().size()));
    CHECK(metrics.rollout_tokens_per_second() * metrics.rollout_seconds ==
          Approx(metrics.sampled_tokens));
    return metrics;
  };
  CHECK(step({.continuations = 3, .histories_per_group = 2}, 0).forks > 0);
  CHECK(step({}, 6).replaced_groups > 0);
  CHECK(step({}, 0).sampled_tokens > 0);
}

TEST_CASE("forward passes beside the updates have a time and a count of their own", "[train]") {
  BigramModel model = guessing::model();
  Trainer trainer{SharedWeights{model},
                  protocol(),
                  ExactMatch{},
                  Recipe{Objective{GroupNormalized{}, ClipLoss{}, GlobalTokenMean{}, NoCorrection{},
                                   KlPenalty<K3>{}}},
                  LocalCollective{},
                  {.group_size = 4, .minibatches = 1, .epochs = 2, .seed = 2}};
  const StepMetrics metrics = trainer.step(five_tasks(8));
  CHECK(metrics.scored_positions > 0);  // once, by the reference policy
  CHECK(metrics.trained_positions == 2 * metrics.scored_positions);
}
