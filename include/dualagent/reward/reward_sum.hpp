#pragma once

#include <optional>

#include "dualagent/reward/reward.hpp"

namespace dualagent {

/// first + weight * second; abstains where either does.
template <Reward First, Reward Second>
struct RewardSum {
  First first = {};
  Second second = {};
  double weight = 1.0;
  std::optional<double> score(const Task& task, const Rollout& rollout) const {
    const std::optional<double> a = first.score(task, rollout);
    const std::optional<double> b = second.score(task, rollout);
    if (!a || !b) return std::nullopt;
    return *a + weight * *b;
  }
};

}  // namespace dualagent
