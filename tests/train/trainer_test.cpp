#include "dualagent/train/trainer.hpp"

#include <cmath>
#include <string>
#include <vector>

#include "dualagent/collective/threads.hpp"
#include "support/bigram_model.hpp"
#include "support/catch.hpp"
#include "support/guessing_pair.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;

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
      if (variance > 0) tokens += static_cast<double>(count_sampled(rollouts[i]));
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

TEST_CASE("a view that trains the Answerer leaves a separate Summarizer untouched", "[train]") {
  BigramModel answerer = guessing::model();
  BigramModel summarizer = guessing::model();
  const std::vector<double> answerer_before(answerer.parameters().begin(),
                                            answerer.parameters().end());
  const std::vector<double> summarizer_before(summarizer.parameters().begin(),
                                              summarizer.parameters().end());
  const auto step = [&](auto view) {
    Trainer trainer{SeparateWeights{answerer, summarizer},
                    protocol(),
                    ExactMatch{},
                    Recipe{Dapo{}, view},
                    LocalCollective{},
                    {.group_size = 8, .seed = 5}};
    return trainer.step(five_tasks(2000));
  };
  const auto equal = [](BigramModel& model, const std::vector<double>& weights) {
    return std::equal(weights.begin(), weights.end(), model.parameters().begin());
  };
  const StepMetrics metrics = step(AnswererOnly{});
  CHECK(metrics.summaries > 0);
  CHECK(!equal(answerer, answerer_before));
  CHECK(equal(summarizer, summarizer_before));
  step(SummarizerOnly{});
  CHECK(!equal(summarizer, summarizer_before));
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
  Trainer other{SharedWeights{small}, protocol(), ExactMatch{}, Recipe{Dapo{}}};
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
                    ContainsSubstring("at least 1"));
}
