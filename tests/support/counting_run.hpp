#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/train/training_run.hpp"
#include "support/temporary_folder.hpp"

/// A run whose work is a sum that anyone can do again.
namespace counting {

using namespace dualagent;

inline constexpr std::size_t kSteps = 7;

/// A work whose state depends on every step before; `score(step)` is its metric.
struct Counting {
  double state = 1;
  std::function<double(std::size_t)> score = [](std::size_t step) { return double(step); };
  std::function<void(std::size_t)> in_step = [](std::size_t) {};
  std::function<void(std::uint64_t)> in_save = [](std::uint64_t) {};
  std::vector<RunStep> steps = {};

  RunRecord step(RunStep step) {
    in_step(step.number);
    steps.push_back(step);
    state = state * 1.25 + static_cast<double>(step.number) * step.learning_rate_scale;
    RunRecord record{.note = "state " + std::to_string(state)};
    record.add("state", state);
    record.add("score", score(step.number));
    return record;
  }
  void save(Checkpoint& checkpoint) const {
    in_save(checkpoint.step);
    checkpoint.add("state", std::span<const double>(&state, 1));
  }
  void load(const StoredCheckpoint& checkpoint) {
    checkpoint.copy_to("state", std::span<double>(&state, 1));
  }
};

/// Takes what the progress bar shows.
struct Screen {
  std::string text;
  ProgressScreen screen() {
    return {.write = [this](std::string_view more) { text += more; },
            .columns = [] { return std::size_t{100}; },
            .seconds = [] { return 0.0; }};
  }
};

inline RunOptions options(const TemporaryFolder& folder) {
  return {.folder = folder.path(), .steps = kSteps, .earlier_run = EarlierRun::resume};
}

inline RunOutcome train(const RunOptions& options, Counting& work) {
  Screen screen;
  return TrainingRun(options, screen.screen()).train(work);
}

/// The records of a metrics file without time and memory.
inline std::vector<std::map<std::string, double>> records_of(const std::filesystem::path& path) {
  std::vector<std::map<std::string, double>> records;
  for (const MetricsRecord& record : read_metrics(path)) {
    records.emplace_back();
    records.back()["step"] = static_cast<double>(record.step);
    for (const auto& [name, value] : record.numbers)
      if (name != "elapsed_seconds" && name != "peak_memory_bytes") records.back()[name] = value;
  }
  return records;
}

inline std::set<std::string> files_in(const std::filesystem::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.is_regular_file()) names.insert(entry.path().filename().string());
  return names;
}

/// The state by a loop that knows nothing of runs.
inline double state_after(std::size_t steps) {
  double state = 1;
  for (std::size_t step = 0; step < steps; ++step) state = state * 1.25 + double(step);
  return state;
}

}  // namespace counting
