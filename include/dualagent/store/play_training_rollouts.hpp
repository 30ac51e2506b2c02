#pragma once

#include <concepts>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "dualagent/core/check.hpp"
#include "dualagent/core/random.hpp"
#include "dualagent/reward/reward.hpp"
#include "dualagent/rollout/scheduler.hpp"
#include "dualagent/store/training_rollout.hpp"

namespace dualagent {

/// Which rollouts to play for a store.
struct TrainingPlay {
  RolloutSource source{};
  std::size_t group_size = 8;   ///< rollouts of each task
  std::size_t first_group = 0;  ///< number of the first task's group within the step
  RolloutSampling sampling{};

  void validate() const {
    source.validate();
    require_option(group_size, {1.0, static_cast<double>(TrainingAccess::kMaxGroupSize)},
                   "group_size", "TrainingPlay");
  }
};

/// Plays `group_size` rollouts of each task and scores them: [tasks * group_size], member fastest,
/// for `TrajectoryStore::commit`.
///
/// They are the rollouts of `RolloutScheduler::run` with the rewards of `score_rollouts`: the same
/// weights, tasks and `random` give the same bytes, so that a writer that was killed plays and
/// commits a step again, and the store keeps each rollout once. Evaluation tasks do not compile.
/// Errors: as these two, and as `TrainingAccess::make`.
/// Example: store.commit(play_training_rollouts(
///   scheduler, tasks, ExactMatch{}, random.child(step), {.source = {"run", "sampler-1", step}}));
template <class Pairing, class Protocol, Reward R>
std::vector<TrainingRollout> play_training_rollouts(RolloutScheduler<Pairing, Protocol>& scheduler,
                                                    std::span<const Task> tasks, const R& reward,
                                                    const RandomStream& random,
                                                    const TrainingPlay& play) {
  play.validate();
  validate_all(reward);
  std::vector<Rollout> rollouts =
      scheduler.run(tasks, play.group_size, play.sampling, random, play.first_group);
  score_rollouts(reward, std::span(rollouts), [&](const Rollout& rollout) -> const Task& {
    return tasks[rollout.group - play.first_group];
  });
  std::vector<TrainingRollout> training;
  training.reserve(rollouts.size());
  for (Rollout& rollout : rollouts)
    training.push_back(TrainingAccess::make(play.source, play.group_size, std::move(rollout)));
  return training;
}
template <class Pairing, class Protocol, class Tasks, Reward R>
requires std::convertible_to<const Tasks&, std::span<const EvaluationTask>>
    std::vector<TrainingRollout> play_training_rollouts(RolloutScheduler<Pairing, Protocol>&,
                                                        const Tasks&, const R&, const RandomStream&,
                                                        const TrainingPlay&) {
  detail::refuse_evaluation_tasks<Tasks>();
  return {};
}

}  // namespace dualagent
