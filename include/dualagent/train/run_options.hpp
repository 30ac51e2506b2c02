#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "dualagent/core/check.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/number_text.hpp"
#include "dualagent/optim/schedule.hpp"
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
  /// The rollouts of one step.
  std::filesystem::path rollouts(std::size_t step) const {
    return folder / "rollouts" / name / ("step-" + zero_padded(step, 6) + ".jsonl");
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
  /// What a resumed run must share beside what the work compares by itself (a Trainer its options,
  /// a Reinforcement its tasks too).
  RunFingerprint fingerprint = {};

  void validate() const {
    if (folder.empty())
      throw Error("the run has no folder", "RunOptions::folder", "Name one; it is made");
    if (name.empty() || name.find('/') != std::string::npos)
      throw Error("the run's name is \"" + name + "\"", "RunOptions::name",
                  "Name it as files are named, without a folder");
    require_option(steps, kAtLeastOne, "steps", "RunOptions");
    require_option(checkpoint_every, kAtLeastOne, "checkpoint_every", "RunOptions");
    require_option(retention.keep_last, kAtLeastOne, "keep_last", "RunOptions::retention");
  }
};

}  // namespace dualagent
