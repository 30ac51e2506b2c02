#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>

#include "dualagent/reward/reward.hpp"

namespace dualagent {

/// The reward that the reference system gives its Answerer, for comparisons.
///
/// Right, that is a reward of `right` above 0: +1. Wrong: -1, raised by 0.05 for every call beyond
/// the second, to at most -0.6. Every summary adds 0.05, right or wrong, which a policy can
/// exploit: with 13 summaries a wrong answer scores above 0. Use `right` alone for training.
/// Abstains where `right` does. Example: ReferenceSystemReward{StrictBoxedMath{.last_bytes = 100}}.
template <class Right = ExactMatch>
struct ReferenceSystemReward {
  static_assert(check_reward<Right>());

  Right right = {};
  double bonus_per_summary = 0.05;
  void validate() const {
    require_option(bonus_per_summary, kFinite, "bonus_per_summary", "ReferenceSystemReward");
    validate_all(right);
  }
  std::optional<double> score(const Task& task, const Rollout& rollout) const {
    const std::optional<double> said = right.score(task, rollout);
    if (!said) return std::nullopt;
    const double calls = static_cast<double>(rollout.calls);
    const double base = *said > 0 ? 1.0 : std::min(-0.6, -1.0 + 0.1 * (calls - 2.0) / 2.0);
    return base + bonus_per_summary * static_cast<double>(rollout.summaries);
  }
};
template <class Right>
ReferenceSystemReward(Right) -> ReferenceSystemReward<Right>;

}  // namespace dualagent
