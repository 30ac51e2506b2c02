#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "dualagent/core/check.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/number_text.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/optim/schedule.hpp"
#include "dualagent/rollout/rollout_journal.hpp"
#include "dualagent/train/checkpoint.hpp"

namespace dualagent {

/// Where the files of a run are. Several runs may share a folder under names of their own.
struct RunFiles {
  std::filesystem::path folder;
  std::string name = "train";

  /// One record per step.
  std::filesystem::path metrics() const { return folder / "metrics" / (name + ".jsonl"); }
  /// The newest checkpoints.
  std::filesystem::path checkpoints() const { return folder / "checkpoints" / name; }
  /// The best checkpoint.
  std::filesystem::path best() const { return checkpoints() / "best"; }
  /// What rollouts were answered since the newest checkpoints.
  std::filesystem::path journals() const { return folder / "journals" / name; }
  /// One rank's since the checkpoint of this many steps.
  std::filesystem::path journal(std::size_t steps_done, std::size_t rank) const {
    return journals() / (zero_padded(steps_done, 12) + journal_end(rank));
  }
  /// The steps of a rank's journal; nothing for any other file.
  std::optional<std::uint64_t> step_of_journal(const std::filesystem::path& path,
                                               std::size_t rank) const {
    const std::string file = path.filename().string();
    const std::optional<std::uint64_t> steps =
        parse_number<std::uint64_t>(std::string_view(file).substr(0, file.find('-')));
    if (!steps || path != journal(static_cast<std::size_t>(*steps), rank)) return std::nullopt;
    return steps;
  }
  /// The rollouts of one step.
  std::filesystem::path rollouts(std::size_t step) const {
    return folder / "rollouts" / name / ("step-" + zero_padded(step, 6) + ".jsonl");
  }

 private:
  static std::string journal_end(std::size_t rank) {
    return "-rank-" + std::to_string(rank) + ".journal";
  }
};

/// What a run does where its folder holds checkpoints of its name already.
enum class EarlierRun {
  refuse,  ///< it throws
  resume   ///< it goes on from the newest checkpoint
};

/// Which checkpoint is kept as the best one.
struct BestBy {
  enum class Better { larger, smaller };
  /// A number of the steps' records, e.g. "eval_reward_mean"; empty: no best one is kept.
  std::string metric = {};
  Better better = Better::larger;

  /// E.g. "larger eval_reward_mean".
  std::string text() const {
    return std::string(better == Better::larger ? "larger " : "smaller ") + metric;
  }
  bool prefers(double candidate, double so_far) const {
    return better == Better::larger ? candidate > so_far : candidate < so_far;
  }
};

/// What a run does, where it writes, and what a resumed one must share.
struct RunOptions {
  std::filesystem::path folder;
  std::string name = "train";          ///< of its files; see RunFiles
  std::string label = {};              ///< of its progress bar; empty: the name
  std::size_t steps = 0;               ///< in all, those of earlier runs included; > 0
  LearningRateSchedule schedule = {};  ///< factor of the learning rate, e.g. Warmup{20}
  EarlierRun earlier_run = EarlierRun::refuse;
  std::size_t checkpoint_every = 1;  ///< steps; the last step has one anyway
  CheckpointRetention retention = {};
  BestBy best = {};
  /// Keep what rollouts are answered, so that a run that is killed within a step goes on there:
  /// with the tokens and the tools' answers that it had. Empty: it plays the step again.
  std::optional<JournalSurvives> journal = {};
  /// What a resumed run must share beside what the work compares by itself (a Trainer its options,
  /// a Reinforcement its tasks too).
  RunFingerprint fingerprint = {};

  void validate() const {
    if (folder.empty())
      throw Error("the run has no folder", "RunOptions::folder", "Name one; it is made");
    require_no_nul(folder.native(), "folder", "RunOptions");
    const auto cannot_be = [](char c) { return c == '/' || (c >= 0 && c < ' '); };
    if (name.empty() || name == "." || name == ".." || std::ranges::any_of(name, cannot_be))
      throw Error("the run's name is \"" + printable(name) + "\"", "RunOptions::name",
                  "Name it as files are named, without a folder");
    require_option(steps, kAtLeastOne, "steps", "RunOptions");
    require_option(checkpoint_every, kAtLeastOne, "checkpoint_every", "RunOptions");
    require_option(retention.keep_last, kAtLeastOne, "keep_last", "RunOptions::retention");
  }
};

}  // namespace dualagent
