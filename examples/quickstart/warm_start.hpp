#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "copying.hpp"
#include "demonstrator.hpp"
#include "dualagent/core/number_text.hpp"
#include "dualagent/optim/schedule.hpp"
#include "dualagent/report/memory.hpp"
#include "dualagent/report/metrics.hpp"
#include "dualagent/train/checkpoint.hpp"
#include "dualagent/train/supervised.hpp"

namespace quickstart {

/// Cross-entropy on scripted demonstrations, until the model copies; a `Work` of run_phase.
///
/// The learning rate is constant while problems vary, for half of `steps` at least and for one and
/// a half times `steps` at most: variety ends as soon as the model copies what it must. Then come
/// steps / 2 of the problems that are asked later, while the learning rate decays.
template <class Model>
class WarmStart {
 public:
  static constexpr std::size_t kMeasureEvery = 50;  // steps; also between two checkpoints
  static constexpr std::size_t kBatchSegments = 32;

  /// `measured`: demonstrations of the problems that are asked later, which are not trained on.
  WarmStart(Model& model, std::size_t steps, DemonstrationStream demonstrations,
            std::vector<Episode> measured)
      : model_(model),
        steps_(steps),
        demonstrations_(std::move(demonstrations)),
        measured_(std::move(measured)),
        trainer_(model, {.optimizer = {.learning_rate = 3e-3,
                                       .beta1 = 0.9,
                                       .beta2 = 0.98,
                                       .weight_decay = 0.01},
                         .max_gradient_norm = 1.0}) {}

  void load(const dualagent::StoredCheckpoint& checkpoint) {
    trainer_.load(checkpoint);
    if (const auto begin = checkpoint.number(kDecayBegin); begin > 0) begin_decay(begin);
  }
  void save(dualagent::Checkpoint& checkpoint) const {
    trainer_.save(checkpoint);
    checkpoint.texts[kDecayBegin] = std::to_string(decay_begin_);
  }

  /// The most there can be until it is known when variety ends.
  std::size_t steps() const { return (decay_begin_ > 0 ? decay_begin_ : latest()) + decay_steps(); }

  /// What the model copies in demonstrations that it is not trained on.
  CopyAccuracy measure() const { return measure_copying(model_, measured_); }

  std::string step(std::size_t step, dualagent::MetricsWriter& metrics) {
    const double scale = learning_rate_scale(step);
    const auto start = std::chrono::steady_clock::now();
    const dualagent::SupervisedMetrics result = trainer_.step(demonstrations_.at(step), scale);
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    std::vector<dualagent::Metric> record{
        {"loss", result.loss},
        {"trained_tokens", result.trained_tokens},
        {"gradient_norm", result.gradient_norm},
        {"learning_rate_scale", scale},
        {"tokens_per_second", result.trained_positions / seconds},
        {"peak_memory_bytes", dualagent::peak_memory_bytes().value_or(0)}};
    const std::size_t done = step + 1;
    bool copies = false;
    if (done % kMeasureEvery == 0) {
      const CopyAccuracy accuracy = measure();
      copies = has_formed(accuracy);
      for (std::size_t i = 0; i < kCopiedNames.size(); ++i)
        record.emplace_back("copied_" + std::string(kCopiedNames[i]),
                            accuracy.of(static_cast<Copied>(i)));
    }
    metrics.write(step, record);
    if (decay_begin_ == 0 && ((copies && done >= earliest()) || done == latest()))
      begin_decay(done);
    return "loss " + dualagent::fixed_text(result.loss, 3);
  }

 private:
  static constexpr const char* kDecayBegin = "decay_begin";

  std::size_t decay_steps() const { return (steps_ + 1) / 2; }
  std::size_t earliest() const { return decay_steps(); }
  std::size_t latest() const { return steps_ + decay_steps(); }

  void begin_decay(std::size_t step) {
    decay_begin_ = step;
    demonstrations_.end_variety(step);
  }

  double learning_rate_scale(std::size_t step) const {
    if (decay_begin_ > 0)
      return dualagent::WarmupCosine{
          .warmup_steps = 0, .total_steps = decay_steps(), .final_fraction = 0.1}
          .at(step - decay_begin_);
    constexpr std::size_t kWarmupSteps = 50;
    return std::min(1.0, static_cast<double>(step + 1) / kWarmupSteps);
  }

  Model& model_;
  std::size_t steps_;
  DemonstrationStream demonstrations_;
  std::vector<Episode> measured_;
  dualagent::SupervisedTrainer<Model> trainer_;
  std::size_t decay_begin_ = 0;  // the step; 0: not yet known
};

}  // namespace quickstart
