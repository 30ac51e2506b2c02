#pragma once

#include <algorithm>
#include <optional>

#include "dualagent/reward/reward.hpp"

namespace dualagent {

/// A base reward plus a bonus for every tool call, up to a cap; abstains where the base does.
///
/// A base reward of 0 or less counts as wrong: the bonus never lifts it above 0, however many calls
/// were made. Summaries earn nothing.
/// Example: PerCallBonus<ExactMatch>{.base = {.failure = -1.0}, .bonus_per_call = 0.05}.
template <Reward Base>
struct PerCallBonus {
  Base base = {};
  double bonus_per_call = 0.05;
  double max_bonus = 0.4;
  std::optional<double> score(const Task& task, const Rollout& rollout) const {
    const std::optional<double> plain = base.score(task, rollout);
    if (!plain) return std::nullopt;
    const double bonus = std::min(max_bonus, bonus_per_call * static_cast<double>(rollout.calls));
    return *plain > 0.0 ? *plain + bonus : std::min(0.0, *plain + bonus);
  }
};

}  // namespace dualagent
