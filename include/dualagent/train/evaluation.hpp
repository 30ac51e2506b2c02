#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dualagent/core/check.hpp"
#include "dualagent/core/compiled.hpp"
#include "dualagent/core/random.hpp"
#include "dualagent/reward/reward.hpp"
#include "dualagent/rollout/scheduler.hpp"

namespace dualagent {

/// How a set of tasks is evaluated.
struct EvaluationOptions {
  std::size_t samples = 1;  ///< rollouts of each task, >= 1
  void validate() const { require_option(samples, kCount, "samples", "EvaluationOptions"); }
};

/// Both agents take the likeliest token: how a pair plays without chance.
inline constexpr RolloutSampling kGreedy{{0.0F}, {0.0F}};

/// The chance that at least one of k rollouts, drawn without replacement from n of which c solved
/// the task, solved it: 1 - C(n - c, k) / C(n, k).
/// Requires k <= n and c <= n. Source: Chen et al., "Evaluating Large Language Models Trained on
/// Code", 2021, equation 1. Example: pass_at_k(4, 1, 2) == 0.5.
double pass_at_k(std::size_t n, std::size_t c, std::size_t k);

/// Scored rollouts of each task; nothing is trained.
struct Evaluation {
  std::vector<Rollout> rollouts = {};  ///< in the order of the tasks; those of one task in a row
  std::size_t samples = 1;             ///< rollouts of each task
  double reward_mean = 0;  ///< over rollouts that were not aborted: mean@k with k samples
  std::size_t aborted = 0;

  /// Mean over tasks of `pass_at_k`, an unbiased estimate of how many tasks are solved within k
  /// attempts. A rollout solves its task if its reward is larger than `success_above`. Aborted
  /// rollouts are left out, and so are tasks that have fewer than k others; nothing if that leaves
  /// no task.
  /// Errors: Error unless 1 <= k <= samples and `success_above` is finite.
  std::optional<double> pass_at(std::size_t k, double success_above = 0.5) const;
};

/// Plays every task `options.samples` times. With `temperature` 0 a rollout is greedy and does not
/// use `random`.
///
/// Determinism: depends on weights, tasks, sampling and `random` only; the first rollout of a task
/// does not depend on `samples`.
/// Errors: Error without tasks, for several samples that would all be equal because both agents
/// are greedy, for a reward's value that cannot be meant, and as `RolloutScheduler::run` and
/// `score_rollouts`.
/// Example: evaluate(scheduler, tasks, ExactMatch{}, {{0.6F}, {0.6F}}, random, {.samples = 16})
///   .pass_at(8)
template <class Pairing, class Protocol, class Reward>
Evaluation evaluate(RolloutScheduler<Pairing, Protocol>& scheduler,
                    std::span<const EvaluationTask> tasks, const Reward& reward,
                    const RolloutSampling& sampling, const RandomStream& random,
                    const EvaluationOptions& options = {}) {
  if (tasks.empty())
    throw Error("there are no tasks to evaluate", "evaluate", "Give one task at least");
  options.validate();
  if (options.samples > 1 && sampling.answerer.temperature == 0 &&
      sampling.summarizer.temperature == 0)
    throw Error("samples is " + std::to_string(options.samples) +
                    ", but both agents are greedy: all rollouts of a task would be equal",
                "EvaluationOptions", "Give a temperature above 0, or one sample");
  validate_all(reward);
  Evaluation evaluation{.samples = options.samples};
  std::vector<RolloutStart> starts;
  for (std::size_t i = 0; i < tasks.size(); ++i)
    for (std::size_t sample = 0; sample < options.samples; ++sample)
      starts.push_back({&tasks[i].task(), i, sample});
  evaluation.rollouts = scheduler.run(starts, sampling, random);
  score_rollouts(
      reward, std::span(evaluation.rollouts),
      [&](const Rollout& rollout) -> const Task& { return tasks[rollout.group].task(); });
  double sum = 0;
  for (const Rollout& rollout : evaluation.rollouts) {
    evaluation.aborted += rollout.status == RolloutStatus::aborted ? 1 : 0;
    sum += rollout.reward;
  }
  const std::size_t scored = evaluation.rollouts.size() - evaluation.aborted;
  if (scored > 0) evaluation.reward_mean = sum / static_cast<double>(scored);
  return evaluation;
}

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/train/evaluation.inl"
#endif
