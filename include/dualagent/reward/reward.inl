#pragma once

/// Definitions of reward.hpp; see core/compiled.hpp.

#include "dualagent/reward/reward.hpp"

namespace dualagent::detail {

DUALAGENT_INLINE std::string place_of(const ScoreRequest& request) {
  return "task '" + request.task->id + "', rollout " + std::to_string(request.rollout->member);
}

DUALAGENT_INLINE void require_scores(double success, double failure, const char* owner) {
  require_option(success, kFinite, "success", owner);
  require_option(failure, kFinite, "failure", owner);
}

DUALAGENT_INLINE void write_reward(const Task& task, std::optional<double> score,
                                   Rollout& rollout) {
  if (!score) {
    rollout.status = RolloutStatus::aborted;
    rollout.ending = "aborted: the reward abstained";
    return;
  }
  if (!std::isfinite(*score))
    throw Error("a reward is " + std::to_string(*score), place_of({&task, &rollout}),
                "Return a finite number, or nothing to abstain");
  rollout.reward = *score;
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE double add_bonus(double reward, double bonus) {
  return reward > 0.0 ? reward + bonus : std::min(0.0, reward + bonus);
}

}  // namespace dualagent
