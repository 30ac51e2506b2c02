#include "dualagent/train/trainer.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "dualagent/collective/threads.hpp"
#include "dualagent/loops/loss_weight.inl"
#include "support/bigram_model.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/guessing_pair.hpp"
#include "support/temporary_folder.hpp"
#include "support/toy_protocol.hpp"
#include "support/warnings.hpp"
#include "support/witness_model.hpp"

using namespace dualagent;

using Tokens = std::vector<Token>;
using guessing::five_tasks;
using guessing::protocol;

TEST_CASE("a pair with shared weights learns a task from its reward alone", "[train]") {
  BigramModel model = guessing::model();
  Trainer trainer{SharedWeights{model},
                  protocol(),
                  ExactMatch{},
                  Recipe{Dapo{}},
                  LocalCollective{},
                  {.group_size = 8, .update = {.optimizer = {.learning_rate = 0.1F}}, .seed = 1}};
  const std::vector<Task> tasks = five_tasks(16);
  const double before = trainer.step(tasks).reward_mean;
  double after = 0;
  for (int step = 0; step < 40; ++step) {
    const StepMetrics metrics = trainer.step(tasks);
    after = metrics.reward_mean;
    CHECK(metrics.max_abs_log_ratio == 0.0);
    CHECK(metrics.rollouts == 128);
  }
  CHECK(before < 0.2);
  CHECK(after > 0.9);
  CHECK(trainer.steps_done() == 41);
}

TEST_CASE("a step moves weights along the policy gradient of the advantage", "[train]") {
  BigramModel model = guessing::model();
  const std::vector<double> before(model.parameters().begin(), model.parameters().end());
  Trainer trainer{SharedWeights{model},
                  protocol(),
                  ExactMatch{},
                  Recipe{Dapo{}},
                  LocalCollective{},
                  {.group_size = 8,
                   .minibatches = 1,
                   .update = {.optimizer = {.learning_rate = 1e-3F}, .max_gradient_norm = 1e9},
                   .seed = 2}};
  const std::vector<Task> tasks = five_tasks(16);
  trainer.step(tasks);

  // Surrogate: mean over trained tokens of advantage * log-probability, at the old weights.
  std::vector<double> advantage;
  double tokens = 0;
  const auto rollouts = trainer.rollouts();
  for (std::size_t g = 0; g < tasks.size(); ++g) {
    double mean = 0;
    double variance = 0;
    for (std::size_t i = 8 * g; i < 8 * g + 8; ++i) mean += rollouts[i].reward / 8;
    for (std::size_t i = 8 * g; i < 8 * g + 8; ++i)
      variance += std::pow(rollouts[i].reward - mean, 2) / 7;
    for (std::size_t i = 8 * g; i < 8 * g + 8; ++i) {
      advantage.push_back(variance == 0 ? 0 : (rollouts[i].reward - mean) / std::sqrt(variance));
      tokens += static_cast<double>(count_sampled(rollouts[i]));
    }
  }
  REQUIRE(tokens > 0);
  std::vector<double> gradient(before.size(), 0.0);
  for (std::size_t i = 0; i < rollouts.size(); ++i)
    for (const Segment& segment : rollouts[i].segments)
      for (const Span& span : segment.context.spans())
        for (std::size_t t = span.begin; span.is_sampled() && t < span.end(); ++t) {
          const auto row = static_cast<std::size_t>(segment.context.tokens()[t - 1]) * toy::vocab;
          double sum = 0;
          for (std::size_t v = 0; v < toy::vocab; ++v) sum += std::exp(before[row + v]);
          for (std::size_t v = 0; v < toy::vocab; ++v)
            gradient[row + v] +=
                advantage[i] / tokens *
                ((static_cast<Token>(v) == segment.context.tokens()[t] ? 1.0 : 0.0) -
                 std::exp(before[row + v]) / sum);
        }
  // The first AdamW step moves every weight by the learning rate along the gradient's sign.
  std::size_t moved = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (std::abs(gradient[i]) < 1e-4) continue;
    ++moved;
    CHECK(model.parameters()[i] - before[i] ==
          Approx(std::copysign(1e-3, gradient[i])).epsilon(1e-3));
  }
  CHECK(moved > 20);
}

TEST_CASE("a trainer's evaluation draws equal numbers whenever it comes and trains nothing",
          "[train]") {
  BigramModel model = guessing::model();
  Trainer trainer{SharedWeights{model}, protocol(),        ExactMatch{},
                  Recipe{Dapo{}},       LocalCollective{}, {.group_size = 4, .seed = 2}};
  BigramModel other = guessing::model();
  Trainer undisturbed{SharedWeights{other}, protocol(),        ExactMatch{},
                      Recipe{Dapo{}},       LocalCollective{}, {.group_size = 4, .seed = 2}};
  const std::vector<Task> tasks = five_tasks(20);
  const std::vector<EvaluationTask> held_out(tasks.begin(), tasks.end());
  const double before = trainer.evaluate(held_out).reward_mean;
  CHECK(trainer.evaluate(held_out).reward_mean == before);
  trainer.evaluate(held_out, kGreedy);
  for (int step = 0; step < 2; ++step) {
    trainer.step(tasks);
    trainer.evaluate(held_out);
    undisturbed.step(tasks);
  }
  CHECK(guessing::weights(model) == guessing::weights(other));
}

namespace {
/// A loss that pulls on every token, whatever its advantage, and does not say that it vanishes.
struct Everywhere {
  template <class S>
  S operator()(const TokenTerms<S>& t) const {
    return -(t.log_prob * (t.advantage + S(1)));
  }
};
}  // namespace

TEST_CASE("a loss that has a gradient at advantage 0 gets it", "[train]") {
  BigramModel model = guessing::model();
  Trainer trainer{
      SharedWeights{model}, protocol(),
      ExactMatch{},         Recipe{Objective{GroupNormalized{}, Everywhere{}, RolloutMean{}}},
      LocalCollective{},    {.group_size = 4, .minibatches = 1, .seed = 2}};
  const std::vector<Task> never{{.id = "never", .prompt = "1", .answer = "none"}};
  const StepMetrics metrics = trainer.step(never);
  CHECK(metrics.live_groups == 0);
  CHECK(metrics.updates == 1);
  CHECK(metrics.gradient_norm > 0);
}

TEST_CASE("a frozen role stays as it is while the other one learns", "[train][one_thread]") {
  BigramModel answerer = guessing::model();
  BigramModel summarizer = guessing::model();
  const std::vector<double> answerer_before(answerer.parameters().begin(),
                                            answerer.parameters().end());
  const std::vector<double> summarizer_before(summarizer.parameters().begin(),
                                              summarizer.parameters().end());
  const auto step = [&](const auto& pairing, auto view) {
    Trainer trainer{pairing,           protocol(),
                    ExactMatch{},      Recipe{Dapo{}, view},
                    LocalCollective{}, {.group_size = 8, .seed = 5}};
    return trainer.step(five_tasks(1000));
  };
  const auto equal = [](BigramModel& model, const std::vector<double>& weights) {
    return std::equal(weights.begin(), weights.end(), model.parameters().begin());
  };
  const StepMetrics metrics = step(SeparateWeights{Frozen{answerer}, summarizer}, SummarizerOnly{});
  CHECK(metrics.summaries > 0);
  CHECK(!equal(summarizer, summarizer_before));
  CHECK(equal(answerer, answerer_before));
  CHECK(answerer.weight_version() == 0);
  const std::vector<double> summarizer_then = guessing::weights(summarizer);
  step(SeparateWeights{answerer, Frozen{summarizer}}, AnswererOnly{});
  CHECK(!equal(answerer, answerer_before));
  CHECK(equal(summarizer, summarizer_then));
}

TEST_CASE("the same seed gives the same weights, another seed others", "[train]") {
  const auto train = [](std::uint64_t seed) {
    BigramModel model = guessing::model();
    Trainer trainer{SharedWeights{model}, protocol(),        ExactMatch{},
                    Recipe{Dapo{}},       LocalCollective{}, {.group_size = 4, .seed = seed}};
    for (int step = 0; step < 3; ++step) trainer.step(five_tasks(6));
    return std::vector<double>(model.parameters().begin(), model.parameters().end());
  };
  CHECK(train(5) == train(5));
  CHECK(train(5) != train(6));
}

TEST_CASE("several ranks take the steps of one, whatever their number", "[train][collective]") {
  const auto train = [](std::size_t ranks) {
    std::vector<BigramModel> models;
    for (std::size_t rank = 0; rank < ranks; ++rank) models.push_back(guessing::model());
    std::vector<StepMetrics> metrics(ranks);
    run_ranks(ranks, [&](ThreadCollective collective) {
      Trainer trainer{SharedWeights{models[collective.rank()]},
                      protocol(),
                      ExactMatch{},
                      Recipe{Dapo{}},
                      collective,
                      {.group_size = 4, .seed = 8}};
      for (int step = 0; step < 4; ++step)
        metrics[collective.rank()] = trainer.step(five_tasks(50));
    });
    std::vector<std::vector<double>> weights;
    for (BigramModel& model : models) weights.push_back(guessing::weights(model));
    for (std::size_t rank = 1; rank < ranks; ++rank) {
      CHECK(weights[rank] == weights[0]);  // bit for bit
      CHECK(metrics[rank].reward_mean == metrics[0].reward_mean);
      CHECK(metrics[rank].gradient_norm == metrics[0].gradient_norm);
    }
    CHECK(metrics[0].rollouts == 200);
    return weights[0];
  };
  BigramModel model = guessing::model();
  Trainer trainer{SharedWeights{model}, protocol(),        ExactMatch{},
                  Recipe{Dapo{}},       LocalCollective{}, {.group_size = 4, .seed = 8}};
  for (int step = 0; step < 4; ++step) trainer.step(five_tasks(50));
  const std::vector<double> alone = guessing::weights(model);
  REQUIRE(alone != [] {
    auto m = guessing::model();
    return guessing::weights(m);
  }());
  for (std::size_t ranks = 1; ranks <= 4; ++ranks) {
    const std::vector<double> together = train(ranks);
    CHECK(together == train(ranks));
    for (std::size_t i = 0; i < alone.size(); ++i)
      CHECK(together[i] == Approx(alone[i]).margin(1e-6));
  }
}

TEST_CASE("a rank without groups takes part", "[train][collective]") {
  std::vector<BigramModel> models{guessing::model(), guessing::model(), guessing::model()};
  run_ranks(3, [&](ThreadCollective collective) {
    Trainer trainer{SharedWeights{models[collective.rank()]},
                    protocol(),
                    ExactMatch{},
                    Recipe{Dapo{}},
                    collective,
                    {.group_size = 64, .seed = 8}};
    trainer.step(five_tasks(2));
  });
  CHECK(guessing::weights(models[0]) == guessing::weights(models[2]));
}

TEST_CASE("a saved trainer goes on bit for bit", "[train]") {
  const TrainerOptions options{.group_size = 8, .seed = 3};
  const auto make = [&](BigramModel& answerer, BigramModel& summarizer) {
    return Trainer{SeparateWeights{answerer, summarizer},
                   protocol(),
                   ExactMatch{},
                   Recipe{Dapo{}},
                   LocalCollective{},
                   options};
  };
  BigramModel answerer = guessing::model();
  BigramModel summarizer = guessing::model();
  auto straight = make(answerer, summarizer);
  TemporaryFolder folder;
  for (int step = 0; step < 5; ++step) {
    straight.step(five_tasks(60));
    if (step != 2) continue;
    Checkpoint checkpoint{.step = 3};
    straight.save(checkpoint);
    write_checkpoint(folder.path(), checkpoint);
  }
  BigramModel answerer_again(toy::vocab);
  BigramModel summarizer_again(toy::vocab);
  auto resumed = make(answerer_again, summarizer_again);
  resumed.load(*latest_checkpoint(folder.path(), {}).checkpoint);
  CHECK(resumed.steps_done() == 3);
  for (int step = 3; step < 5; ++step) resumed.step(five_tasks(60));
  CHECK(guessing::weights(answerer_again) == guessing::weights(answerer));
  CHECK(guessing::weights(summarizer_again) == guessing::weights(summarizer));

  BigramModel shared = guessing::model();
  BigramModel small(4);
  Trainer other{SharedWeights{small}, protocol(),        ExactMatch{},
                Recipe{Dapo{}},       LocalCollective{}, options};
  CHECK_THROWS_WITH(other.load(*latest_checkpoint(folder.path(), {}).checkpoint),
                    ContainsSubstring("model0.weights"));
}

TEST_CASE("impossible trainer options are refused", "[train]") {
  BigramModel model = guessing::model();
  CHECK_THROWS_WITH((Trainer{SharedWeights{model},
                             protocol(),
                             ExactMatch{},
                             Recipe{Dapo{}},
                             LocalCollective{},
                             {.group_size = 0}}),
                    ContainsSubstring("group_size is 0 (TrainerOptions)"));
}

namespace {

struct ParsesAnswers {
  std::optional<double> score(const Task&, const Rollout&) const { return std::stod("five"); }
};

/// Its loss throws what is not an Error, from the given call on.
struct BreaksAfter {
  int* calls_left;
  template <class S>
  S operator()(const TokenTerms<S>& t) const {
    if (--*calls_left < 0) throw std::runtime_error("out of ideas");
    return -(t.log_prob * t.advantage);
  }
};

}  // namespace

TEST_CASE("a trainer of one rank needs no collective", "[train]") {
  BigramModel model = guessing::model();
  Trainer brief{SharedWeights{model}, protocol(), ExactMatch{}, Recipe{Dapo{}}, {.group_size = 4}};
  STATIC_REQUIRE(
      std::is_same_v<decltype(brief), Trainer<SharedWeights<BigramModel>, decltype(protocol()),
                                              ExactMatch, Recipe<Dapo>, LocalCollective>>);
  CHECK(brief.group_size() == 4);
  CHECK(brief.step(five_tasks(2)).rollouts == 8);
}

TEST_CASE("what a reward throws is told with task and rollout", "[train]") {
  BigramModel model = guessing::model();
  const std::vector<double> before = guessing::weights(model);
  Trainer trainer{SharedWeights{model}, protocol(), ParsesAnswers{}, Recipe{Dapo{}}};
  CHECK_THAT(
      error_of([&] { trainer.step(five_tasks(2)); }),
      ContainsSubstring("a reward threw std::invalid_argument: stod (task 'five0', rollout 0)") &&
          ContainsSubstring("No weight has changed in this step"));
  CHECK(guessing::weights(model) == before);
}

TEST_CASE("an error says whether weights have changed in its step", "[train]") {
  const auto changed_by_step = [](int calls, std::string& error) {
    BigramModel model = guessing::model();
    const std::vector<double> before = guessing::weights(model);
    const Objective objective{GroupNormalized{}, BreaksAfter{&calls}, GlobalTokenMean{}};
    Trainer trainer{SharedWeights{model},
                    protocol(),
                    ExactMatch{},
                    Recipe{objective},
                    {.group_size = 8, .minibatches = 4, .seed = 1}};
    error = error_of([&] { trainer.step(five_tasks(40)); });
    return guessing::weights(model) != before;
  };
  std::string first, later;
  CHECK(!changed_by_step(5, first));
  CHECK_THAT(first, ContainsSubstring("std::runtime_error: out of ideas") &&
                        ContainsSubstring("No weight has changed in this step"));
  CHECK(changed_by_step(500, later));
  CHECK_THAT(later, ContainsSubstring("out of ideas") &&
                        ContainsSubstring("Updates of this step that came before it: ") &&
                        !ContainsSubstring("No weight has changed"));
}

TEST_CASE("a step counts its tool calls and says when it taught nothing", "[train]") {
  BigramModel model = guessing::model();
  Trainer trainer{
      SharedWeights{model}, protocol(), ExactMatch{}, Recipe{Dapo{}}, {.group_size = 8}};
  const StepMetrics metrics = trainer.step(five_tasks(160));
  double calls = 0, failed = 0;
  for (const Rollout& rollout : trainer.rollouts())
    for (const ToolUse& use : rollout.tool_uses) {
      calls += 1;
      failed += use.status == ToolStatus::failed ? 1 : 0;
    }
  REQUIRE(calls > 10);
  REQUIRE(metrics.tools.size() == 1);
  CHECK(metrics.tools[0].name == "successor");
  CHECK(metrics.tools[0].calls == calls);
  CHECK(metrics.tools[0].failures == failed);
  CHECK(metrics.tool_calls == calls);
  CHECK(metrics.nothing_learned.empty());

  Warnings warnings;
  Trainer flat{SharedWeights{model},
               protocol(),
               ExactMatch{.success = 0.0},
               Recipe{Dapo{}},
               {.group_size = 8}};
  for (int step = 0; step < 2; ++step)
    CHECK_THAT(flat.step(five_tasks(4)).nothing_learned,
               ContainsSubstring("within each group all rewards are equal"));
  CHECK(warnings.count() == 1);
  CHECK_THAT(warnings.text(), ContainsSubstring("step 0: nothing could be learned"));
}
