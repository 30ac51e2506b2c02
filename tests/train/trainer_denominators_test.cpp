#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "dualagent/loops/loss_weight.inl"
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

namespace {

/// What one step of a recipe with a single minibatch played and trained.
struct OneStep {
  std::vector<Rollout> rollouts;  // then their forks, as the batch numbers them
  std::vector<bool> live;         // [rollouts] whether the rewards of its group differ
  PackedBatch batch;
};
template <class R>
OneStep one_step(const R& recipe, SummaryForks forks) {
  WitnessModel model{toy::vocab, answer_or_call};
  Trainer trainer{SharedWeights{model},
                  Protocol{toy::Dialect{}, toy::Tools{toy::Successor<>{}}, TurnCount{.turns = 1},
                           ReplaceBySummary{}, RolloutLimits{.max_turns = 3}},
                  ExactMatch{},
                  recipe,
                  LocalCollective{},
                  {.group_size = 8, .minibatches = 1, .summary_forks = forks, .seed = 4}};
  std::vector<Task> tasks;
  for (const char* prompt : {"1", "2", "1", "3"})
    tasks.push_back({.id = prompt, .prompt = prompt, .answer = "5"});
  trainer.step(tasks);
  OneStep step{{trainer.rollouts().begin(), trainer.rollouts().end()}, {}, {}};
  for (const Rollout& rollout : trainer.rollouts())
    step.live.push_back(std::any_of(step.rollouts.begin(), step.rollouts.end(), [&](const auto& o) {
      return o.group == rollout.group && o.reward != rollout.reward;
    }));
  REQUIRE(std::count(step.live.begin(), step.live.end(), false) > 0);
  REQUIRE(std::count(step.live.begin(), step.live.end(), true) > 0);
  step.rollouts.insert(step.rollouts.end(), trainer.forks().begin(), trainer.forks().end());
  REQUIRE(model.trained().size() == 1);
  step.batch = model.trained()[0];
  return step;
}

double sampled(const Segment& segment) {
  return static_cast<double>(
      count_trained(segment, [](const Span& span) { return span.is_sampled(); }));
}

/// Checks the weight of every trained token of one step of a recipe that trains all of a counted
/// rollout: it must be `weight(rollouts, tokens, segments, tokens of the rollout, tokens of the
/// segment)` of what `counted(step, i)` says is counted, and what the loops for devices say of the
/// same spans.
template <class R, class Weight, class Counted>
void check_denominators(const char* name, const R& recipe, const Weight& weight,
                        const Counted& counted, SummaryForks forks = {}) {
  INFO(name);
  const OneStep step = one_step(recipe, forks);
  double rollouts = 0, tokens = 0, segments = 0;
  std::vector<std::size_t> span_begin{0}, segment_begin{0}, rollout_begin{0};
  std::vector<float> span_weight;
  for (std::size_t i = 0; i < step.rollouts.size(); ++i) {
    const bool counts = counted(step, i);
    if (counts) rollouts += 1, tokens += static_cast<double>(count_sampled(step.rollouts[i]));
    for (const Segment& segment : step.rollouts[i].segments) {
      if (counts && sampled(segment) > 0) segments += 1;
      for (const Span& span : segment.context.spans()) {
        span_weight.push_back(counts && span.is_sampled() ? 1.0F : 0.0F);
        span_begin.push_back(span_begin.back() + span.size);
      }
      segment_begin.push_back(span_begin.back());
    }
    rollout_begin.push_back(segment_begin.size() - 1);
  }
  cpu::Loops machine;
  std::vector<float> by_loops(span_begin.back());
  loops::span_weights(machine, by_loops.size(),
                      {span_weight.size(), span_begin.data(), span_weight.data()}, by_loops.data());
  const loops::SegmentTable table{by_loops.size(), segment_begin.size() - 1, step.rollouts.size(),
                                  segment_begin.data(), rollout_begin.data()};
  loops::LossWeights<cpu::Loops> weights;
  weights.apply(machine, recipe.objective.aggregation, table,
                weights.count_tokens(machine, table, by_loops.data()), by_loops.data());

  std::map<std::size_t, std::size_t> next_segment;  // of each rollout: rows come in their order
  for (std::size_t r = 0; r < step.batch.rows(); ++r) {
    const std::size_t i = step.batch.rollout[r];
    std::size_t& s = next_segment[i];
    while (sampled(step.rollouts[i].segments[s]) == 0) ++s;
    CHECK(counted(step, i));
    const double expected =
        weight(rollouts, tokens, segments, static_cast<double>(count_sampled(step.rollouts[i])),
               sampled(step.rollouts[i].segments[s]));
    const std::size_t first = segment_begin[rollout_begin[i] + s++];
    for (std::size_t t = 0; t < step.batch.row_size(r); ++t) {
      const float found = step.batch.loss_weight[step.batch.row_begin[r] + t];
      CHECK(static_cast<double>(found) == Approx(found == 0.0F ? 0.0 : expected).epsilon(1e-5));
      CHECK(found == Approx(by_loops[first + t]).epsilon(1e-6));
    }
  }
}

// From each paper's formula: N rollouts, T tokens, S segments, t of the rollout, s of the segment.
constexpr auto kTokenMean = [](double, double T, double, double, double) { return 1 / T; };
constexpr auto kRolloutMean = [](double N, double, double, double t, double) {
  return 1 / (N * t);
};
constexpr auto kAll = [](const OneStep&, std::size_t) { return true; };

}  // namespace

TEST_CASE("a mean is over all rollouts, those of advantage 0 included", "[train]") {
  check_denominators("Grpo", Recipe{Grpo{}}, kRolloutMean, kAll);
  check_denominators("ReferenceSystem's", Recipe{ReferenceSystem{}.objective}, kRolloutMean, kAll);
  check_denominators("Dapo", Recipe{Dapo{}}, kTokenMean, kAll);
  check_denominators("Cispo", Recipe{Cispo{}}, kTokenMean, kAll);
  check_denominators(
      "DrGrpo", Recipe{DrGrpo{16}},
      [](double N, double, double, double, double) { return 1 / (N * 16); }, kAll);
  check_denominators(
      "Rloo", Recipe{Rloo{}}, [](double N, double, double, double, double) { return 1 / N; }, kAll);
  check_denominators(
      "Gspo", Recipe{Gspo{}},
      [](double, double, double S, double, double s) { return 1 / (S * s); }, kAll);
}

TEST_CASE("what a view masks is not counted, advantages do not matter", "[train]") {
  const auto finished = [](const OneStep& step, std::size_t i) {
    return step.rollouts[i].status == RolloutStatus::finished;
  };
  check_denominators("Supo", Supo{}, kTokenMean, finished);
  check_denominators("Grpo", Recipe{Grpo{}, FinishedOnly<AllSegments>{}}, kRolloutMean, finished);
}

TEST_CASE("a fork counts as a rollout", "[train]") {
  check_denominators("Grpo", Recipe{Grpo{}}, kRolloutMean, kAll,
                     {.continuations = 2, .histories_per_group = 2});
}

TEST_CASE("rollouts of advantage 0 may be left out of the count", "[train]") {
  const auto live = [](const OneStep& step, std::size_t i) { return bool{step.live[i]}; };
  check_denominators(
      "rollout mean",
      Recipe{Objective{GroupNormalized{}, ClipLoss{}, NonzeroAdvantageOnly<RolloutMean>{}}},
      kRolloutMean, live);
  check_denominators(
      "token mean, with a regularizer",
      Recipe{Objective{GroupNormalized{}, ClipLoss{}, NonzeroAdvantageOnly<GlobalTokenMean>{},
                       NoCorrection{}, EntropyBonus{}}},
      kTokenMean, live);
}

TEST_CASE("equal groups beside a mixed one make its gradient smaller", "[train]") {
  // Three groups, one of them mixed: the mean over all is about a third of that over the mixed one.
  const auto gradient_norm = [](const auto& recipe, const std::vector<Task>& tasks) {
    BigramModel model = guessing::model();
    Trainer trainer{SharedWeights{model}, protocol(),
                    ExactMatch{},         recipe,
                    LocalCollective{},    {.group_size = 64, .minibatches = 1, .seed = 2}};
    const StepMetrics metrics = trainer.step(tasks);
    return std::pair{metrics.gradient_norm, metrics.rollouts - metrics.aborted};
  };
  const std::vector<Task> mixed{{.id = "m", .prompt = "1", .answer = "5"}};
  const std::vector<Task> with_equal{mixed[0],
                                     {.id = "never", .prompt = "1", .answer = "none"},
                                     {.id = "never either", .prompt = "1", .answer = "none"}};
  const Recipe over_nonzero{
      Objective{GroupNormalized{}, ClipLoss{}, NonzeroAdvantageOnly<RolloutMean>{}}};
  const Recipe over_all{Objective{GroupNormalized{}, ClipLoss{}, RolloutMean{}}};
  const auto [alone, mixed_rollouts] = gradient_norm(over_all, mixed);
  const auto [beside, rollouts] = gradient_norm(over_all, with_equal);
  REQUIRE(alone > 0);
  REQUIRE(rollouts > 2.5 * mixed_rollouts);
  CHECK(beside * rollouts == Approx(alone * mixed_rollouts));
  CHECK(gradient_norm(over_nonzero, with_equal).first == Approx(alone));
}
