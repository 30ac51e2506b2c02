#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "copying.hpp"
#include "demonstrator.hpp"
#include "dualagent/optim/schedule.hpp"
#include "dualagent/train/run_work.hpp"
#include "dualagent/train/supervised.hpp"
#include "dualagent/train/training_run.hpp"

namespace quickstart {

inline constexpr std::size_t kWarmStartSegments = 32;    // of a step
inline constexpr std::size_t kMeasureCopyingEvery = 50;  // steps; also between two checkpoints

/// What a warm start does from its middle on while one kind of copying has not begun; see
/// `has_begun`.
enum class SlowStart {
  goes_on,
  ends  ///< the run ends there, so that another one can begin
};

/// Trains a model by cross-entropy on scripted demonstrations. Every 50 steps the record says what
/// it copies in `measured`: demonstrations of the problems that are asked later, which are not
/// trained on. Of `options`, schedule and distance of checkpoints are set here.
template <class Model>
[[nodiscard]] dualagent::RunOutcome warm_start(
    Model& model, DemonstrationStream demonstrations, std::span<const Episode> measured,
    dualagent::RunOptions options, SlowStart slow,
    const std::function<void()>& after_step = [] {}) {
  dualagent::SupervisedTrainer<Model> trainer(
      model,
      {.optimizer = {.learning_rate = 3e-3, .beta1 = 0.9, .beta2 = 0.98, .weight_decay = 0.01},
       .max_gradient_norm = 1.0});
  options.schedule =
      dualagent::WarmupCosine{.warmup_steps = std::min<std::size_t>(50, options.steps),
                              .total_steps = options.steps,
                              .final_fraction = 0.1};
  options.checkpoint_every = kMeasureCopyingEvery;
  const std::size_t steps = options.steps;
  dualagent::TrainingRun run(std::move(options));
  run.every(kMeasureCopyingEvery, [&](dualagent::RunRecord& record) {
    const CopyAccuracy accuracy = measure_copying(model, measured);
    for (std::size_t i = 0; i < kCopiedNames.size(); ++i)
      record.add("copied_" + std::string(kCopiedNames[i]), accuracy.of(static_cast<Copied>(i)));
    const std::size_t done = record.step + 1;
    if (slow == SlowStart::goes_on || done < steps / 2 || done == steps || has_begun(accuracy))
      return;
    record.ends_run = true;
    record.messages.push_back("after " + std::to_string(done) + " steps " + copied_text(accuracy) +
                              ": it begins again from other initial weights");
  });
  run.after_record([&](const dualagent::RunRecord&) { after_step(); });
  return run.train(
      dualagent::Imitation{trainer, [&](std::size_t step) { return demonstrations.at(step); }});
}

}  // namespace quickstart
