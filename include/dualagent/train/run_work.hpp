#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/check.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/number_text.hpp"
#include "dualagent/data/task_stream.hpp"
#include "dualagent/report/metrics.hpp"
#include "dualagent/rollout/rollout_journal.hpp"
#include "dualagent/train/checkpoint.hpp"
#include "dualagent/train/segment_digest.hpp"

namespace dualagent {

/// The step that a run wants done.
struct RunStep {
  std::size_t number = 0;  ///< from 0
  double learning_rate_scale = 1;
};

/// What one step of a run leaves in the metrics and on the screen.
struct RunRecord {
  std::size_t step = 0;
  std::vector<Metric> metrics = {};
  std::string note = {};                   ///< stands beside the progress bar
  std::vector<std::string> messages = {};  ///< lines that are printed above it
  bool ends_run = false;                   ///< this step is the run's last; it is saved

  /// Adds a number or a text. Errors: MetricsWriter refuses a name that comes twice.
  template <class Value>
  void add(std::string_view name, Value value) {
    metrics.emplace_back(name, value);
  }
  /// Adds all that has `for_each(visit(name, value))`, e.g. StepMetrics.
  template <class Metrics>
  void add(const Metrics& more) {
    more.for_each([&](std::string_view name, auto value) { metrics.emplace_back(name, value); });
  }

  /// Nothing if the step has no such number.
  std::optional<double> number(std::string_view name) const {
    for (const Metric& metric : metrics)
      if (metric.name() == name) return metric.number();
    return std::nullopt;
  }
};

/// What a TrainingRun drives.
///
/// Syntax: `RunRecord step(RunStep)` does one step; `void save(Checkpoint&) const` adds all that
/// the following steps depend on; `void load(const StoredCheckpoint&)` brings it back.
/// Optional: `void saved()`, called once the newest checkpoint that `save` filled is in place.
/// Optional: `collective()`, of the ranks that do the work together, each with its share; without
/// it the work is one rank's; `use_journal(RolloutJournal*)`, of rollouts that keep one
/// (RunOptions::journal). Semantics: a step depends on its number, on the scale and on what
/// `save` adds, on nothing else; so a run that goes on from a checkpoint ends like one that was
/// never stopped.
template <class W>
concept RunWork = requires(W& work, const W& saved, RunStep step, Checkpoint& checkpoint,
                           const StoredCheckpoint& stored) {
  { work.step(step) } -> std::same_as<RunRecord>;
  saved.save(checkpoint);
  work.load(stored);
};

/// One readable sentence if W is not a RunWork.
template <class W>
consteval bool check_run_work() {
  static_assert(RunWork<W>,
                "dualagent: a RunWork needs 'RunRecord step(RunStep)', 'void save(Checkpoint&) "
                "const' and 'void load(const StoredCheckpoint&)'; see docs/training.md#a-run");
  return true;
}

/// How many tasks of a stream a step takes.
struct StepTasks {
  std::size_t tasks = 16;
  std::size_t spare = 0;  ///< for dynamic sampling, see Trainer::step

  void validate() const {
    require_option(tasks, kCount, "tasks", "StepTasks");
    require_option(spare, {0.0, kCount.high}, "spare", "StepTasks");
  }
  std::size_t taken() const { return tasks + spare; }
};

/// Reinforcement as the work of a run: a trainer on a stream of tasks. Step n takes the n-th lot of
/// the stream, whatever was taken before.
///
/// Holds references to both. `load` refuses tasks that differ from those of the saved run in
/// anything, in their order or in their number per step.
/// Example: run.train(Reinforcement{trainer, tasks, {.tasks = 16}});
template <class Trainer>
class Reinforcement {
 public:
  /// Errors: Error for a number of tasks that cannot be meant.
  Reinforcement(Trainer& trainer, TaskStream& tasks, StepTasks lot = {})
      : trainer_(&trainer), tasks_(&tasks), lot_(lot) {
    lot.validate();
  }

  /// The note is the mean reward. Errors: as Trainer::step.
  RunRecord step(RunStep step) {
    tasks_->seek(position_of(step.number));
    const std::vector<Task> tasks = tasks_->next(lot_.tasks);
    const auto metrics = trainer_->step(tasks, step.learning_rate_scale, tasks_->next(lot_.spare));
    RunRecord record{.note = "reward " + fixed_text(metrics.reward_mean, 3)};
    record.add(metrics);
    return record;
  }
  auto& collective() requires requires(Trainer& trainer) { trainer.collective(); }
  { return trainer_->collective(); }
  /// From now on the answers that its rollouts get are recorded in `journal`; null: in none.
  void use_journal(RolloutJournal* journal) requires requires(Trainer& trainer) {
    trainer.scheduler();
  }
  { trainer_->scheduler().use_journal(journal); }
  void save(Checkpoint& checkpoint) const {
    trainer_->save(checkpoint);
    checkpoint.add(kTasks, tasks_->save());
  }
  void load(const StoredCheckpoint& checkpoint) {
    trainer_->load(checkpoint);
    if (!checkpoint.texts().contains(kTasks)) return;  // written by a loop of the user's own
    tasks_->restore(checkpoint.text(kTasks));
    if (tasks_->position() != position_of(checkpoint.step()))
      throw Error("the saved run took another number of tasks in each step", checkpoint.where(),
                  "Resume with the StepTasks of that run");
  }

 private:
  static constexpr const char* kTasks = "tasks";
  std::uint64_t position_of(std::uint64_t step) const { return step * lot_.taken(); }

  Trainer* trainer_;
  TaskStream* tasks_;
  StepTasks lot_;
};

/// Imitation as the work of a run: a SupervisedTrainer on demonstrations.
///
/// `demonstrations(step)` gives a step's segments (a span or a vector), the same ones whenever it
/// is asked; on several ranks, this rank's share of them. Where there is one rank, `load` asks for
/// those of the saved run's last step again and refuses other ones; put the digest of a whole file
/// into RunOptions::fingerprint (`Demonstrations::digest`). Holds a reference to the trainer.
/// Example: run.train(Imitation{trainer, [&](std::size_t step) { return make_batch(step); }});
template <class Trainer, class Demonstrations>
class Imitation {
 public:
  Imitation(Trainer& trainer, Demonstrations demonstrations)
      : trainer_(&trainer), demonstrations_(std::move(demonstrations)) {}

  /// The note is the loss. Errors: as SupervisedTrainer::step.
  RunRecord step(RunStep step) {
    const auto& segments = demonstrations_(step.number);
    const auto metrics = trainer_->step(segments, step.learning_rate_scale);
    shown_ = segment_digest(segments);
    RunRecord record{.note = "loss " + fixed_text(metrics.loss, 3)};
    record.add(metrics);
    return record;
  }
  auto& collective() requires requires(Trainer& trainer) { trainer.collective(); }
  { return trainer_->collective(); }
  void save(Checkpoint& checkpoint) const {
    trainer_->save(checkpoint);
    if (shown_ && is_alone()) checkpoint.add(kShown, std::to_string(*shown_));
  }
  /// Errors: Error for other demonstrations; as `load` of the trainer.
  void load(const StoredCheckpoint& checkpoint) {
    shown_.reset();
    // One without was written by several ranks, or by a loop of the user's own.
    if (is_alone() && checkpoint.step() > 0 && checkpoint.texts().contains(kShown)) {
      shown_ = segment_digest(demonstrations_(checkpoint.step() - 1));
      if (checkpoint.number(kShown) != *shown_)
        throw Error("the demonstrations are not those of the saved run", checkpoint.where(),
                    "Resume with the same file of demonstrations, options and order");
    }
    trainer_->load(checkpoint);
  }

 private:
  static constexpr const char* kShown = "demonstrations";
  bool is_alone() const {
    if constexpr (requires { trainer_->collective(); }) return trainer_->collective().size() == 1;
    return true;
  }

  Trainer* trainer_;
  Demonstrations demonstrations_;
  std::optional<std::uint64_t> shown_;  // digest of what the last step was shown
};

}  // namespace dualagent
