#pragma once

#include <cmath>
#include <concepts>
#include <optional>
#include <string>

#include "dualagent/core/error.hpp"
#include "dualagent/trace/rollout.hpp"
#include "dualagent/trace/task.hpp"

namespace dualagent {

/// Scores one rollout.
///
/// Syntactic requirement on a constant r: `r.score(task, rollout)` returns std::optional<double>.
/// Nothing means that the reward abstains (a judge that could not be reached): the rollout is then
/// aborted and leaves its group's statistics; no score is invented.
/// Semantic requirements: depends on task and rollout only; may be called from one thread.
template <class R>
concept Reward = requires(const R& reward, const Task& task, const Rollout& rollout) {
  { reward.score(task, rollout) } -> std::same_as<std::optional<double>>;
};

/// One readable sentence if R is no Reward.
template <class R>
consteval bool check_reward() {
  static_assert(Reward<R>,
                "dualagent: a Reward needs 'std::optional<double> score(const Task&, const "
                "Rollout&) const'; see docs/policies.md#rewards");
  return true;
}

/// Writes the rollout's reward; a rollout whose reward abstains becomes aborted, one that is
/// aborted already is not scored.
///
/// Errors: throws on a reward that is not finite, naming task and rollout.
template <Reward R>
void score_rollout(const R& reward, const Task& task, Rollout& rollout) {
  if (rollout.status == RolloutStatus::aborted) return;
  const std::optional<double> score = reward.score(task, rollout);
  if (!score) {
    rollout.status = RolloutStatus::aborted;
    rollout.ending = "aborted: the reward abstained";
    return;
  }
  if (!std::isfinite(*score))
    throw Error("a reward is " + std::to_string(*score),
                "task '" + task.id + "', rollout " + std::to_string(rollout.member),
                "Return a finite number, or nothing to abstain");
  rollout.reward = *score;
}

/// `success` if the rollout's answer equals the task's to the letter, else `failure`.
struct ExactMatch {
  double success = 1.0;
  double failure = 0.0;
  std::optional<double> score(const Task& task, const Rollout& rollout) const {
    return rollout.answer && *rollout.answer == task.answer ? success : failure;
  }
};

}  // namespace dualagent
