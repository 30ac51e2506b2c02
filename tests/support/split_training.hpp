#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "dualagent/collective/threads.hpp"
#include "dualagent/train/checkpoint.hpp"
#include "dualagent/train/trainer.hpp"
#include "support/ragged_rows.hpp"
#include "support/two_token_turns.hpp"

/// Updates and steps of small models that tests compare between numbers of ranks.
namespace split_training {

using namespace dualagent;

/// Every gradient is clipped.
inline constexpr UpdateOptions kUpdate{.optimizer = {.learning_rate = 1e-3, .weight_decay = 0.1},
                                       .max_gradient_norm = 0.5,
                                       .bucket_elements = 100};

/// Norms and last log-probabilities of some updates.
template <class Model, class C>
std::vector<double> five_updates(Model& model, WeightUpdater<Model>& updater, C& collective) {
  std::vector<double> told;
  TokenOutputs outputs;
  for (std::uint64_t step = 0; step < 5; ++step) {
    // Of two data ranks each has one row.
    std::vector<std::size_t> lengths{9, 30};
    if (collective.size() == 2) lengths = {lengths[collective.rank()]};
    const PackedBatch batch = ragged_batch(lengths, 0.9F, 100 * collective.rank() + step);
    told.push_back(updater.update(batch, curved_loss, outputs, collective));
  }
  const PackedBatch last = ragged_batch({20}, 1.0F);
  outputs.resize(last.size());
  model.score(last, outputs);
  told.insert(told.end(), outputs.log_prob.begin(), outputs.log_prob.end());
  return told;
}

/// What two data ranks are told by five updates of a copy each.
template <class Model>
std::vector<std::vector<double>> told_to_two_copies(const Model& start) {
  std::vector<std::vector<double>> told(2);
  run_ranks(2, [&](ThreadCollective data) {
    auto one = start.copy();
    WeightUpdater updater(one, kUpdate, data);
    told[data.rank()] = five_updates(one, updater, data);
  });
  return told;
}

/// A checkpoint of one updater, in a folder of its own.
template <class Updater, class C>
void write_updater(const std::filesystem::path& folder, const Updater& updater, C& collective) {
  Checkpoint checkpoint{.step = 5};
  updater.save(checkpoint, "model0", collective);
  if (is_first_rank(collective)) write_checkpoint(folder, checkpoint);
}
inline StoredCheckpoint read_newest(const std::filesystem::path& folder) {
  return *latest_checkpoint(folder, {}).checkpoint;
}

template <class Model>
std::size_t moments(const WeightUpdater<Model>& updater) {
  std::size_t count = 0;
  updater.state().for_each([&](auto&&, const auto& array) { count += array.size(); });
  return count;
}

struct Asked {
  std::atomic<int> calls{0}, scores{0};
};

template <class Model, class C>
auto trainer_of(Model& model, C collective, Asked& asked, bool fails = false) {
  return Trainer{SharedWeights{model},
                 two_tokens::protocol(asked.calls),
                 two_tokens::LastToken{&asked.scores, fails},
                 Recipe{Dapo{}},
                 collective,
                 {.group_size = 4, .update = {.optimizer = {.learning_rate = 1e-3}}, .seed = 8}};
}

/// Of three steps and an evaluation.
struct Outcome {
  std::vector<double> metrics, weights;
  double log_ratio = 0;
  std::uint64_t rollouts = 0;
  Evaluation evaluation;
};

template <class Trainer>
void train(Trainer& trainer, Outcome& outcome) {
  for (int step = 0; step < 3; ++step) {
    const StepMetrics metrics = trainer.step(two_tokens::tasks(4));
    for (const double number : {metrics.reward_mean, metrics.rollouts, metrics.gradient_norm,
                                metrics.trained_tokens, metrics.entropy})
      outcome.metrics.push_back(number);
    outcome.log_ratio = std::max(outcome.log_ratio, metrics.max_abs_log_ratio);
  }
  outcome.rollouts = rollout_checksum(trainer.rollouts());
  outcome.evaluation =
      trainer.evaluate(std::vector<EvaluationTask>{EvaluationTask(two_tokens::tasks(1)[0])});
}

}  // namespace split_training
