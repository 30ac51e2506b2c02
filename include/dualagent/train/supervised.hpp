#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include "dualagent/collective/local.hpp"
#include "dualagent/loops/token_loss.inl"
#include "dualagent/objective/regularizer.hpp"
#include "dualagent/objective/token_loss.hpp"
#include "dualagent/train/training_rows.hpp"
#include "dualagent/train/weight_updater.hpp"

namespace dualagent {

/// What one supervised step measured, over all ranks.
struct SupervisedMetrics {
  double loss = 0;  ///< mean cross-entropy over trained tokens, nats
  double trained_tokens = 0;
  double trained_positions = 0;  ///< tokens that went through forward and backward
  double gradient_norm = 0;      ///< before clipping
  double learning_rate = 0;      ///< after the schedule
  double update_seconds = 0;     ///< of this rank, for the whole step

  /// Of all ranks together.
  double update_tokens_per_second() const {
    return update_seconds > 0 ? trained_positions / update_seconds : 0;
  }

  /// Calls `visit(name, value)` for every number, in the order above.
  template <class Visitor>
  void for_each(Visitor&& visit) const {
    visit("loss", loss);
    visit("trained_tokens", trained_tokens);
    visit("trained_positions", trained_positions);
    visit("gradient_norm", gradient_norm);
    visit("learning_rate", learning_rate);
    visit("update_seconds", update_seconds);
    visit("update_tokens_per_second", update_tokens_per_second());
  }
};

/// Supervised warm start: cross-entropy on the spans of provenance `demonstration`.
///
/// Global-token mean: every trained token of the batch, on whatever rank, weighs the same.
/// Example:
///   SupervisedTrainer warm_start{model, {.optimizer = {.learning_rate = 3e-3}}};
///   warm_start.step(demonstrations, schedule.at(step));
template <class Model, class Collective = LocalCollective, class Optimizer = AdamW>
class SupervisedTrainer {
  static_assert(check_learner<Model>());
  static_assert(check_collective<Collective>());

 public:
  explicit SupervisedTrainer(Model& model, UpdateOptionsFor<Optimizer> options = {},
                             Collective collective = {})
      : updater_(model, options, collective),
        collective_(std::move(collective)),
        learning_rate_(options.optimizer.learning_rate) {}

  /// One update on the given segments (this rank's share).
  /// Errors: Error, before any weight changes, for segments without a demonstration on any rank, a
  /// gradient that is not finite, and as `WeightUpdater::update`.
  SupervisedMetrics step(std::span<const Segment> segments, double learning_rate_scale = 1.0) {
    const auto start = std::chrono::steady_clock::now();
    const auto trains = [](const Span& span) {
      return span.provenance == Provenance::demonstration;
    };
    double counts[] = {0.0, 0.0, 0.0};  // trained tokens, positions, loss
    for (const Segment& segment : segments)
      counts[0] += static_cast<double>(count_trained(segment, trains));
    const double local_tokens = counts[0];
    collective_.all_reduce_sum(std::span<double>(counts, 1));
    SupervisedMetrics metrics;
    metrics.trained_tokens = counts[0];
    if (counts[0] == 0.0)
      throw Error("no segment has a token of provenance demonstration", "SupervisedTrainer::step",
                  "Append what is to be learned with Provenance::demonstration");

    batch_.clear();
    const auto weight = static_cast<float>(1.0 / counts[0]);
    for (const Segment& segment : segments)
      append_training_row(batch_, segment, trains, {.loss_weight = weight});
    metrics.gradient_norm =
        updater_.update(batch_, ImitationLoss{}, outputs_, collective_, learning_rate_scale);
    counts[0] = local_tokens;
    counts[1] = static_cast<double>(batch_.size());
    for (const double loss : outputs_.loss) counts[2] += loss;
    collective_.all_reduce_sum(std::span<double>(counts, 3));
    metrics.trained_positions = counts[1];
    metrics.loss = counts[2] / counts[0];
    metrics.learning_rate = learning_rate_ * learning_rate_scale;
    metrics.update_seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return metrics;
  }

  /// This rank's handle, which the trainer was given.
  Collective& collective() { return collective_; }

  /// Adds weights and the optimizer's state; see WeightUpdater::save.
  void save(Checkpoint& checkpoint, const std::string& name = "model0") const {
    updater_.save(checkpoint, name, collective_);
  }
  void load(const StoredCheckpoint& checkpoint, const std::string& name = "model0") {
    updater_.load(checkpoint, name);
  }

 private:
  using ImitationLoss = loops::ComposedLoss<CrossEntropy, NoRegularizer>;

  WeightUpdater<Model, Optimizer> updater_;
  mutable Collective collective_;  // `save` gathers
  double learning_rate_;
  PackedBatch batch_;
  TokenOutputs outputs_;
};

}  // namespace dualagent
