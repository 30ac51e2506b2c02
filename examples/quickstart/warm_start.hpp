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

/// Cross-entropy on scripted demonstrations; measures what the model copies. A `Work` of run_phase.
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

  void load(const dualagent::StoredCheckpoint& checkpoint) { trainer_.load(checkpoint); }
  void save(dualagent::Checkpoint& checkpoint) const { trainer_.save(checkpoint); }

  std::size_t steps() const { return steps_; }

  /// What the model copies in demonstrations that it is not trained on.
  CopyAccuracy measure() const { return measure_copying(model_, measured_); }

  std::string step(std::size_t step, dualagent::MetricsWriter& metrics) {
    const double scale = dualagent::WarmupCosine{.warmup_steps = std::min<std::size_t>(50, steps_),
                                                 .total_steps = steps_,
                                                 .final_fraction = 0.1}
                             .at(step);
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
    if ((step + 1) % kMeasureEvery == 0) {
      const CopyAccuracy accuracy = measure();
      for (std::size_t i = 0; i < kCopiedNames.size(); ++i)
        record.emplace_back("copied_" + std::string(kCopiedNames[i]),
                            accuracy.of(static_cast<Copied>(i)));
    }
    metrics.write(step, record);
    return "loss " + dualagent::fixed_text(result.loss, 3);
  }

 private:
  Model& model_;
  std::size_t steps_;
  DemonstrationStream demonstrations_;
  std::vector<Episode> measured_;
  dualagent::SupervisedTrainer<Model> trainer_;
};

}  // namespace quickstart
