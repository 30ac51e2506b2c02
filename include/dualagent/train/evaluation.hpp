#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "dualagent/core/random.hpp"
#include "dualagent/reward/reward.hpp"
#include "dualagent/rollout/scheduler.hpp"

namespace dualagent {

/// One rollout of each task, scored; nothing is trained.
struct Evaluation {
  std::vector<Rollout> rollouts;  ///< in the order of the tasks
  double reward_mean = 0;         ///< over rollouts that were not aborted
  std::size_t aborted = 0;
};

/// Plays every task once. With `temperature` 0 the result is greedy and `random` is not used.
///
/// Determinism: depends on weights, tasks, sampling and `random` only.
/// Errors: Error without tasks, for a reward's value that cannot be meant, and as
/// `RolloutScheduler::run` and `score_rollouts`.
template <class Pairing, class Protocol, class Reward>
Evaluation evaluate(RolloutScheduler<Pairing, Protocol>& scheduler,
                    std::span<const EvaluationTask> tasks, const Reward& reward,
                    const RolloutSampling& sampling, const RandomStream& random) {
  if (tasks.empty())
    throw Error("there are no tasks to evaluate", "evaluate", "Give one task at least");
  validate_all(reward);
  Evaluation evaluation;
  std::vector<RolloutStart> starts;
  for (std::size_t i = 0; i < tasks.size(); ++i) starts.push_back({&tasks[i].task(), i, 0});
  evaluation.rollouts = scheduler.run(starts, sampling, random);
  score_rollouts(
      reward, std::span(evaluation.rollouts),
      [&](const Rollout& rollout) -> const Task& { return tasks[rollout.group].task(); });
  double sum = 0;
  for (const Rollout& rollout : evaluation.rollouts) {
    evaluation.aborted += rollout.status == RolloutStatus::aborted ? 1 : 0;
    sum += rollout.reward;
  }
  const std::size_t scored = tasks.size() - evaluation.aborted;
  if (scored > 0) evaluation.reward_mean = sum / static_cast<double>(scored);
  return evaluation;
}

}  // namespace dualagent
