#pragma once

/// Definitions of training_run.hpp; see core/compiled.hpp.

#include "dualagent/train/training_run.hpp"

namespace dualagent {

DUALAGENT_INLINE TrainingRun::TrainingRun(RunOptions options, ProgressScreen screen)
    : options_(std::move(options)),
      files_{options_.folder, options_.name},
      screen_(std::move(screen)) {
  options_.validate();
}

DUALAGENT_INLINE void TrainingRun::every(std::size_t steps,
                                         std::function<void(RunRecord&)> callback) {
  require_option(steps, kAtLeastOne, "steps", "TrainingRun::every");
  require_function(callback, "callback", "TrainingRun::every");
  callbacks_.push_back({steps, std::move(callback)});
}

DUALAGENT_INLINE void TrainingRun::evaluate_every(std::size_t steps,
                                                  std::function<Evaluation()> evaluate,
                                                  EvaluationMetrics metrics) {
  require_function(evaluate, "evaluate", "TrainingRun::evaluate_every");
  for (const std::size_t k : metrics.pass_at)
    require_option(k, kAtLeastOne, "a number of pass_at", "EvaluationMetrics");
  require_option(metrics.success_above, kFinite, "success_above", "EvaluationMetrics");
  every(steps, [evaluate = std::move(evaluate), metrics = std::move(metrics)](RunRecord& record) {
    add_evaluation(record, evaluate(), metrics);
  });
}

DUALAGENT_INLINE void TrainingRun::add_evaluation(RunRecord& record, const Evaluation& evaluation,
                                                  const EvaluationMetrics& metrics) {
  const auto add = [&](const std::string& what, double value) {
    record.add(metrics.name + "_" + what, value);
    return what + " " + fixed_text(value, 3);
  };
  std::string text = metrics.name + " after step " + std::to_string(record.step + 1) + ": ";
  const bool scored = evaluation.aborted < evaluation.rollouts.size();
  text += scored ? add("reward_mean", evaluation.reward_mean) : "all rollouts were aborted";
  for (const std::size_t k : metrics.pass_at)
    if (const auto share = evaluation.pass_at(k, metrics.success_above))
      text += ", " + add("pass_at_" + std::to_string(k), *share);
  record.add(metrics.name + "_aborted", static_cast<double>(evaluation.aborted));
  record.messages.push_back(std::move(text));
}

DUALAGENT_INLINE std::optional<StoredCheckpoint> TrainingRun::find_earlier_run() {
  done_ = 0;
  stopped_ = ended_ = false;
  best_.reset();
  seconds_before_ = 0;
  start_ = Clock::now();
  if (options_.earlier_run == EarlierRun::refuse) {
    const auto refuse = [](const std::filesystem::path& folder) {
      throw Error("the folder holds an earlier run", folder.string(),
                  "Set RunOptions::earlier_run to EarlierRun::resume to go on with it, or "
                  "choose another folder");
    };
    for (const auto& folder : {files_.checkpoints(), files_.best()})
      if (!detail::list_checkpoints(folder).empty()) refuse(folder);
    if (std::error_code none; std::filesystem::is_directory(files_.journals(), none) &&
                              !std::filesystem::is_empty(files_.journals(), none))
      refuse(files_.journals());  // killed before its first checkpoint
    return std::nullopt;
  }
  LatestCheckpoint latest = latest_checkpoint(files_.checkpoints(), options_.fingerprint);
  if (is_first_)
    for (const std::string& skipped : latest.skipped) warn(skipped);
  if (!latest.checkpoint && !detail::list_checkpoints(files_.best()).empty())
    throw Error("the folder holds a best checkpoint but none to go on from", files_.best().string(),
                "Move it away to begin anew");
  return std::move(latest.checkpoint);
}

DUALAGENT_INLINE void TrainingRun::go_on_from(const StoredCheckpoint& checkpoint,
                                              const Save& save) {
  seconds_before_ = checkpoint.real(kSeconds);
  ended_ = checkpoint.texts().contains(kEnded);
  if (checkpoint.texts().contains(kBestStep) && !options_.best.metric.empty()) {
    if (const std::string& by = checkpoint.text(kBestBy); by != options_.best.text())
      throw Error(
          "the run keeps its best checkpoint by the " + by + ", not by the " + options_.best.text(),
          checkpoint.where(), "Resume with the RunOptions::best of that run");
    best_ = Best{checkpoint.number(kBestStep), checkpoint.real(kBestValue)};
  }
  // Best ones of later steps will be found again; one of this step may not have been written.
  if (is_first_) remove_checkpoints_after(files_.best(), done_);
  if (best_ && best_->steps_done == done_) write(files_.best(), save, {.keep_last = 1});
}

DUALAGENT_INLINE void TrainingRun::finish_step(RunRecord& record,
                                               std::optional<MetricsWriter>& metrics,
                                               Progress& progress) {
  record.step = done_++;
  for (const Callback& callback : callbacks_)
    if (done_ % callback.every == 0 || done_ == options_.steps) callback.call(record);
  record.add("elapsed_seconds", seconds());
  record.add("peak_memory_bytes", peak_memory_bytes().value_or(0));
  if (metrics) metrics->write(record.step, record.metrics);
  for (const std::string& message : record.messages) progress.message(message);
  progress.update(done_, record.note);
  if (is_first_)
    for (const auto& callback : after_record_) callback(record);
}

DUALAGENT_INLINE bool TrainingRun::is_best(const RunRecord& record) {
  if (options_.best.metric.empty()) return false;
  const std::optional<double> value = record.number(options_.best.metric);
  if (!value || !std::isfinite(*value)) return false;
  if (best_ && !options_.best.prefers(*value, best_->value)) return false;
  best_ = Best{done_, *value};
  return true;
}

DUALAGENT_INLINE std::filesystem::path TrainingRun::write(const std::filesystem::path& folder,
                                                          const Save& save,
                                                          CheckpointRetention retention) const {
  Checkpoint checkpoint{.step = done_, .fingerprint = options_.fingerprint};
  checkpoint.add(kSeconds, shortest_text(seconds()));
  if (ended_) checkpoint.add(kEnded, "by a callback");
  if (best_) {
    checkpoint.add(kBestStep, std::to_string(best_->steps_done));
    checkpoint.add(kBestValue, shortest_text(best_->value));
    checkpoint.add(kBestBy, options_.best.text());
  }
  save(checkpoint);  // by all ranks: they may have to gather it
  if (!is_first_) return {};
  return write_checkpoint(folder, checkpoint, retention);
}

DUALAGENT_INLINE void TrainingRun::say_interrupted(Progress& progress) const {
  progress.message("interrupted after " + std::to_string(done_) + " of " +
                   std::to_string(options_.steps) + " steps; saved in " +
                   files_.checkpoints().string());
}

DUALAGENT_INLINE void TrainingRun::warn_without_best() const {
  if (is_first_ && !options_.best.metric.empty() && !best_ && (ended_ || done_ >= options_.steps))
    warn("no step had the number \"" + options_.best.metric +
         "\", so there is no best checkpoint (RunOptions::best)");
}

}  // namespace dualagent
