#include "dualagent/train/trainer.hpp"

#include <cmath>
#include <string>
#include <vector>

#include "dualagent/train/supervised.hpp"
#include "support/bigram_model.hpp"
#include "support/catch.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

namespace {

/// Whatever the prompt says, the answer is 5: a task that a bigram model can learn.
std::vector<Task> five_tasks(std::size_t count) {
  std::vector<Task> tasks;
  for (std::size_t i = 0; i < count; ++i)
    tasks.push_back({.id = "five" + std::to_string(i),
                     .prompt = std::to_string(i % 3),
                     .answer = "5"});
  return tasks;
}

/// A model that knows the format and guesses the digit.
BigramModel guessing_model() {
  BigramModel model(toy::vocab);
  const auto prefer = [&](Token after, Token next, double logit) {
    model.parameters()[static_cast<std::size_t>(after) * toy::vocab +
                       static_cast<std::size_t>(next)] = logit;
  };
  for (int d = 0; d < 10; ++d) {
    prefer(toy::digit(d), toy::answer, 4.0);
    prefer(toy::digit(d), toy::call, 4.0);
    prefer(toy::digit(d), toy::end, 6.0);
    prefer(toy::answer, toy::digit(d), 4.0);
    prefer(toy::call, toy::digit(d), 4.0);
    prefer(toy::summary, toy::digit(d), 4.0);
  }
  prefer(toy::request, toy::summary, 6.0);
  return model;
}

auto protocol() {
  return Protocol{toy::Dialect{.max_turn_tokens = 4}, toy::Tools{toy::Successor<>{}},
                  TurnCount{.turns = 2}, ReplaceBySummary{}, RolloutLimits{.max_turns = 6}};
}

}  // namespace

TEST_CASE("a pair with shared weights learns a task from its reward alone", "[train]") {
  BigramModel model = guessing_model();
  Trainer trainer{SharedWeights{model}, protocol(), ExactMatch{}, Recipe{Grpo{}},
                  LocalCollective{},
                  {.group_size = 8,
                   .update = {.optimizer = {.learning_rate = 0.1F}},
                   .seed = 1}};
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
  BigramModel model = guessing_model();
  const std::vector<double> before(model.parameters().begin(), model.parameters().end());
  Trainer trainer{SharedWeights{model}, protocol(), ExactMatch{}, Recipe{Grpo{}},
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
  BigramModel answerer = guessing_model();
  BigramModel summarizer = guessing_model();
  const std::vector<double> answerer_before(answerer.parameters().begin(),
                                            answerer.parameters().end());
  const std::vector<double> summarizer_before(summarizer.parameters().begin(),
                                              summarizer.parameters().end());
  const auto step = [&](auto view) {
    Trainer trainer{SeparateWeights{answerer, summarizer}, protocol(), ExactMatch{},
                    Recipe{Grpo{}, view}, LocalCollective{}, {.group_size = 8, .seed = 5}};
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
    BigramModel model = guessing_model();
    Trainer trainer{SharedWeights{model}, protocol(), ExactMatch{}, Recipe{Grpo{}},
                    LocalCollective{}, {.group_size = 4, .seed = seed}};
    for (int step = 0; step < 3; ++step) trainer.step(five_tasks(6));
    return std::vector<double>(model.parameters().begin(), model.parameters().end());
  };
  CHECK(train(5) == train(5));
  CHECK(train(5) != train(6));
}

TEST_CASE("supervised steps make demonstrations likely", "[train]") {
  BigramModel model(toy::vocab);
  Segment demonstration;
  demonstration.context.append(Provenance::prompt, std::vector<Token>{toy::bos, toy::digit(1)});
  demonstration.context.append(Provenance::demonstration,
                               std::vector<Token>{toy::answer, toy::digit(5), toy::end});
  SupervisedTrainer trainer{model, {.optimizer = {.learning_rate = 0.2F}}};
  const SupervisedMetrics first = trainer.step(std::span(&demonstration, 1));
  CHECK(first.trained_tokens == 3);
  CHECK(first.loss == Approx(std::log(20.0)));  // uniform over 20 tokens
  SupervisedMetrics last;
  for (int step = 0; step < 50; ++step) last = trainer.step(std::span(&demonstration, 1));
  CHECK(last.loss < 0.05);
}
