#pragma once

#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "dualagent/collective/local.hpp"
#include "dualagent/core/check.hpp"
#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/number_text.hpp"
#include "dualagent/core/stop_signals.hpp"
#include "dualagent/core/warning.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/optim/schedule.hpp"
#include "dualagent/report/memory.hpp"
#include "dualagent/report/metrics.hpp"
#include "dualagent/report/progress.hpp"
#include "dualagent/trace/rollout_file.hpp"
#include "dualagent/train/checkpoint.hpp"
#include "dualagent/train/evaluation.hpp"
#include "dualagent/train/run_journal.hpp"
#include "dualagent/train/run_options.hpp"
#include "dualagent/train/run_ranks.hpp"
#include "dualagent/train/run_work.hpp"

namespace dualagent {

/// How an evaluation is written into a step's record: NAME_reward_mean (unless all rollouts were
/// aborted), NAME_aborted and, for each k, NAME_pass_at_K (where tasks have enough rollouts).
struct EvaluationMetrics {
  std::string name = "eval";
  std::vector<std::size_t> pass_at = {};  ///< values of k, see Evaluation::pass_at
  double success_above = 0.5;             ///< a rollout with a larger reward counts as solved
};

/// How a run ended.
struct RunOutcome {
  enum class End { finished, interrupted, ended };
  End end = End::finished;
  std::size_t steps_done = 0;
  double seconds = 0;  ///< of all steps, those of earlier runs included

  /// Stopped by Ctrl-C or SIGTERM; everything is saved.
  bool interrupted() const { return end == End::interrupted; }
  /// Ended by a callback before its last step (RunRecord::ends_run); everything is saved.
  bool ended() const { return end == End::ended; }
};

/// A run of training steps: progress, metrics, checkpoints, evaluations, Ctrl-C and resuming.
///
/// The work is a RunWork: `Reinforcement`, `Imitation` or one of your own. After each step come, in
/// this order: the callbacks of `every` and `evaluate_every` in the order in which they were given,
/// which may add to the step's record; the record in the metrics file; the callbacks of
/// `after_record`; the checkpoint; the best checkpoint; the callbacks of `after_checkpoint`. To the
/// record the run adds "elapsed_seconds" (of the run, earlier parts included) and
/// "peak_memory_bytes".
///
/// Resuming: a step's record is written before its checkpoint, and what was written after the
/// newest checkpoint is cut off; so the file has each step once, and a run that was killed at any
/// moment and resumed ends with the bytes of one that was not (but for seconds and memory).
/// With RunOptions::journal it goes on within the step, with the answers that its rollouts had.
/// Ctrl-C and SIGTERM: the step in progress is finished and saved; then `train` returns. So do
/// callbacks that set the record's `ends_run`; a resumed run remembers that it has ended.
/// Warnings are printed above the progress bar; those of other ranks with the rank's number.
///
/// On several ranks (of the collective that the trainer was given), each a process of its own, all
/// make the run with the same options. They see one folder; rank 0 alone writes to it and shows
/// progress. A checkpoint is not tied to the number of ranks: a resumed run may have another one,
/// and then goes on to the same weights up to rounding. A signal that one rank gets ends the run of
/// all behind the same step. Callbacks of `every` and `evaluate_every` run on every rank (an
/// evaluation is played by each, with the same result), those of `after_record` and
/// `after_checkpoint` and dumps of rollouts, which are rank 0's share, on rank 0.
///
/// Example:
///   TrainingRun run({.folder = "out", .steps = 200, .earlier_run = EarlierRun::resume,
///                    .best = {"eval_reward_mean"}});
///   run.evaluate_every(20, [&] { return trainer.evaluate(held_out, kGreedy); });
///   if (run.train(Reinforcement{trainer, tasks}).interrupted()) return 130;
///   run.load_best(trainer);
class TrainingRun {
 public:
  /// Errors: Error for an option that cannot be meant.
  explicit TrainingRun(RunOptions options,
                       ProgressScreen screen = ProgressScreen::standard_error());

  // Callbacks of dumps hold its address.
  TrainingRun(const TrainingRun&) = delete;
  TrainingRun& operator=(const TrainingRun&) = delete;

  const RunFiles& files() const { return files_; }

  /// Calls `callback` after every `steps`th step and after the last of RunOptions::steps, before
  /// the step's record is written: it may add to the record, change its note and end the run. What
  /// it throws ends the run, too.
  void every(std::size_t steps, std::function<void(RunRecord&)> callback);

  /// The same with an evaluation, whose figures go into the step's record: they are of the weights
  /// after the step. `evaluate` plays it; it must not train.
  void evaluate_every(std::size_t steps, std::function<Evaluation()> evaluate,
                      EvaluationMetrics metrics = {});

  /// Writes the rollouts, without their forks, of every `steps`th step and of the last as JSON
  /// lines to `files().rollouts(step)`; `read_rollouts` brings them back. `token_text(Token)` is
  /// for people.
  template <class Trainer, class TokenText>
  void dump_rollouts_every(std::size_t steps, const Trainer& trainer, TokenText token_text) {
    every(steps, [this, files = files_, &trainer, token_text](RunRecord& record) {
      if (!is_first_) return;
      const std::filesystem::path path = files.rollouts(record.step);
      ensure_directory(path.parent_path());
      write_rollouts(path, trainer.rollouts(), token_text);
    });
  }

  /// Calls `callback` after every step once the metrics file has its record, e.g. to bring a report
  /// up to date.
  void after_record(std::function<void(const RunRecord&)> callback) {
    require_function(callback, "callback", "TrainingRun::after_record");
    after_record_.push_back(std::move(callback));
  }

  /// Calls `callback` with the path of each newest checkpoint once it is written.
  void after_checkpoint(std::function<void(const std::filesystem::path&)> callback) {
    require_function(callback, "callback", "TrainingRun::after_checkpoint");
    after_checkpoint_.push_back(std::move(callback));
  }

  /// Does the steps that are not done yet; all ranks of the work's collective call it.
  ///
  /// Errors: Error where the folder holds an earlier run that is not to be resumed, has other
  /// options or cannot be read, or is not the same for all ranks; of files; of the work and the
  /// callbacks. After an error the run can be resumed from its last checkpoint.
  template <class Work>
  [[nodiscard]] RunOutcome train(Work&& work) {
    static_assert(check_run_work<std::remove_cvref_t<Work>>());
    if constexpr (requires { work.collective(); }) {
      return train_on(work, RunRanks(work.collective()));
    } else {
      LocalCollective alone;
      return train_on(work, RunRanks(alone));
    }
  }

  /// Loads the best checkpoint into a trainer or a work; returns how many steps it had done.
  /// Errors: Error when there is none.
  template <class Loads>
  std::size_t load_best(Loads&& loads) const {
    const LatestCheckpoint best = latest_checkpoint(files_.best(), options_.fingerprint);
    if (!best.checkpoint)
      throw Error("the run has no best checkpoint", files_.best().string(),
                  "Name a metric that its steps have in RunOptions::best");
    loads.load(*best.checkpoint);
    return best.checkpoint->step();
  }

 private:
  using Clock = std::chrono::steady_clock;
  using Save = std::function<void(Checkpoint&)>;  // adds the work's state
  static constexpr const char *kSeconds = "seconds", *kEnded = "ended";
  static constexpr const char* kBestStep = "best.step";
  static constexpr const char* kBestValue = "best.value";
  static constexpr const char* kBestBy = "best.by";

  struct Callback {
    std::size_t every;
    std::function<void(RunRecord&)> call;
  };
  struct Best {
    std::size_t steps_done;
    double value;
  };

  static void add_evaluation(RunRecord& record, const Evaluation& evaluation,
                             const EvaluationMetrics& metrics);

  template <class Work, class Ranks>
  RunOutcome train_on(Work& work, Ranks ranks) {
    const StopSignals signals;
    is_first_ = ranks.is_first();
    const Save save = [&](Checkpoint& checkpoint) { work.save(checkpoint); };
    if (const std::optional<StoredCheckpoint> stored = find_earlier_run()) {
      work.load(*stored);
      done_ = stored->step();
      ranks.require_same(done_, "a checkpoint of step", files_.checkpoints().string());
      go_on_from(*stored, save);
    } else {
      ranks.require_same(0, "a checkpoint of step", files_.checkpoints().string());
    }
    std::optional<MetricsWriter> metrics;
    if (is_first_) metrics.emplace(open_metrics());
    if (done_ >= options_.steps || ended_) {
      ranks.meet();  // the best checkpoint may have been written again
      return outcome();
    }
    Progress progress({.label = options_.label.empty() ? options_.name : options_.label,
                       .total = options_.steps,
                       .first = done_},
                      is_first_ ? screen_ : ProgressScreen::silent());
    const WarningScope warnings([&](std::string_view text) {
      if (is_first_) return progress.message("warning: " + std::string(text));
      screen_.write("rank " + std::to_string(ranks.rank()) + ": warning: " + std::string(text) +
                    "\n");
    });
    RunJournal journal(work, files_, ranks.plays() ? options_.journal : std::nullopt, ranks.rank());
    journal.begin(done_);
    stopped_ = ranks.any(std::array{StopSignals::requested()})[0];
    while (done_ < options_.steps && !stopped_ && !ended_) {
      RunRecord record = work.step({done_, options_.schedule.at(done_)});
      finish_step(record, metrics, progress);
      // Once: what is said is what was saved, by all ranks.
      const auto [stopped, ends, best] = ranks.any(
          std::array{StopSignals::requested(), record.ends_run, is_first_ && is_best(record)});
      stopped_ = stopped;
      ended_ = ends && done_ < options_.steps;
      if (!save_if_due(best, save)) continue;
      if constexpr (requires { work.saved(); }) work.saved();
      journal.begin(done_);
    }
    if (stopped_ && !ended_) say_interrupted(progress);
    progress.finish();
    warn_without_best();
    ranks.meet();  // all is written
    if (!stopped_ || ended_) journal.end();
    return outcome();
  }

  /// The newest checkpoint of the folder; also sets the run's clock and counters to a beginning.
  std::optional<StoredCheckpoint> find_earlier_run();

  void go_on_from(const StoredCheckpoint& checkpoint, const Save& save);

  MetricsWriter open_metrics() const {
    ensure_directory(files_.metrics().parent_path());
    return MetricsWriter::resume(files_.metrics(), done_);
  }

  double seconds() const {
    return seconds_before_ + std::chrono::duration<double>(Clock::now() - start_).count();
  }

  RunOutcome outcome() const {
    using enum RunOutcome::End;
    return {ended_ ? ended : stopped_ ? interrupted : finished, done_, seconds()};
  }

  /// Callbacks, record and progress of the step that was done.
  void finish_step(RunRecord& record, std::optional<MetricsWriter>& metrics, Progress& progress);

  /// Whether it was.
  bool save_if_due(bool best, const Save& save) {
    // The best step has an ordinary checkpoint too, so that no run resumes before it.
    const bool last = done_ == options_.steps || stopped_ || ended_;
    if (!best && !last && done_ % options_.checkpoint_every != 0) return false;
    const std::filesystem::path path = write(files_.checkpoints(), save, options_.retention);
    if (best) write(files_.best(), save, {.keep_last = 1});
    if (is_first_)
      for (const auto& callback : after_checkpoint_) callback(path);
    return true;
  }

  /// Whether the record has the best value so far, which is then remembered. Of equal ones the
  /// first is the best.
  bool is_best(const RunRecord& record);

  std::filesystem::path write(const std::filesystem::path& folder, const Save& save,
                              CheckpointRetention retention) const;

  void say_interrupted(Progress& progress) const;

  void warn_without_best() const;

  RunOptions options_;
  RunFiles files_;
  ProgressScreen screen_;
  std::vector<Callback> callbacks_;
  std::vector<std::function<void(const RunRecord&)>> after_record_;
  std::vector<std::function<void(const std::filesystem::path&)>> after_checkpoint_;
  // Of the run in progress.
  std::size_t done_ = 0;
  bool is_first_ = true;                  // of its ranks
  bool stopped_ = false, ended_ = false;  // by a signal, by a callback
  std::optional<Best> best_;
  double seconds_before_ = 0;
  Clock::time_point start_;
};

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/train/training_run.inl"
#endif
