#pragma once

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "dualagent/core/warning.hpp"
#include "dualagent/report/metrics.hpp"
#include "dualagent/report/progress.hpp"
#include "dualagent/train/checkpoint.hpp"

namespace quickstart {

/// Set by Ctrl-C; the running phase then saves and throws Interrupted.
inline volatile std::sig_atomic_t stop_requested = 0;

struct Interrupted {};

/// The measurements of a run of steps, one record per step.
inline std::filesystem::path metrics_path(const std::filesystem::path& out,
                                          const std::string& name) {
  return out / "metrics" / (name + ".jsonl");
}

/// A run of training steps that is saved every few steps and can be resumed.
struct Phase {
  std::string name;   ///< of its files
  std::string label;  ///< of its progress bar
  std::size_t checkpoint_every = 1;
  std::filesystem::path out;
  bool resume = false;
  dualagent::RunFingerprint fingerprint;
  std::function<void()> after_step = {};  ///< called when a step's metrics are written

  std::filesystem::path metrics_path() const { return quickstart::metrics_path(out, name); }
  std::filesystem::path checkpoint_folder() const { return out / "checkpoints" / name; }
};

/// Runs the steps of a phase that are not done yet. `Work` has
///   void load(const StoredCheckpoint&), void save(Checkpoint&) const: everything that a step
///   needs; std::size_t steps() const: how many there are, which a step may change;
///   std::string step(std::size_t step, MetricsWriter&): does one step, returns the bar's note.
/// Metrics of a step are written before its checkpoint, so a resumed run has each step once.
/// Returns the seconds that all steps took, those of earlier runs included.
/// Errors: Error of files and checkpoints; Interrupted after Ctrl-C, once all is saved.
template <class Work>
double run_phase(const Phase& phase, Work& work) {
  using namespace dualagent;
  std::size_t done = 0;
  double seconds_before = 0;
  if (phase.resume) {
    const LatestCheckpoint latest = latest_checkpoint(phase.checkpoint_folder(), phase.fingerprint);
    for (const std::string& skipped : latest.skipped)
      std::fprintf(stderr, "warning: %s\n", skipped.c_str());
    if (latest.checkpoint) {
      work.load(*latest.checkpoint);
      done = latest.checkpoint->step();
      seconds_before = std::stod(latest.checkpoint->text("seconds"));
    }
  }
  ensure_directory(phase.out / "metrics");
  MetricsWriter metrics = MetricsWriter::resume(phase.metrics_path(), done);
  const auto start = std::chrono::steady_clock::now();
  const auto seconds = [&] {
    return seconds_before +
           std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  const auto save = [&] {
    Checkpoint checkpoint{.step = done, .fingerprint = phase.fingerprint};
    checkpoint.texts["seconds"] = std::to_string(seconds());
    work.save(checkpoint);
    write_checkpoint(phase.checkpoint_folder(), checkpoint);
  };
  if (done >= work.steps()) return seconds_before;
  Progress progress({.label = phase.label, .total = work.steps(), .first = done});
  const WarningScope warnings(
      [&](std::string_view text) { progress.message("warning: " + std::string(text)); });
  while (done < work.steps()) {
    const std::string note = work.step(done, metrics);
    if (phase.after_step) phase.after_step();
    progress.set_total(work.steps());
    progress.update(++done, note);
    if (stop_requested || done % phase.checkpoint_every == 0 || done == work.steps()) save();
    if (stop_requested) throw Interrupted{};
  }
  progress.finish();
  return seconds();
}

}  // namespace quickstart
