#pragma once

#include <cstddef>
#include <cstdint>

#include "dualagent/core/random.hpp"

namespace dualagent {

/// Which random numbers one step of training draws: the same ones wherever its rollouts are played,
/// in the trainer's process or by a RolloutWorker in another one.
struct StepStreams {
  std::uint64_t seed = 0;  ///< TrainerOptions::seed
  std::uint64_t step = 0;

  /// Of the rollouts: a RolloutScheduler makes the stream of each from group and member.
  RandomStream rollouts() const { return of_step().child(0); }
  /// Of the assignment to minibatches in one epoch.
  RandomStream minibatches(std::size_t epoch) const { return of_step().child(1 + epoch); }

  /// Of groups that replace others, and of the choice which histories are forked, in a step of
  /// `groups` groups with these `rollouts()`; the children before them are the groups' own.
  static RandomStream replacements(const RandomStream& rollouts, std::size_t groups) {
    return rollouts.child(groups);
  }
  static RandomStream fork_choice(const RandomStream& rollouts, std::size_t groups) {
    return rollouts.child(groups + 1);
  }

 private:
  RandomStream of_step() const { return RandomStream::from_seed(seed).child(step); }
};

}  // namespace dualagent
