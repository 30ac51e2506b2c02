#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>

#include "dualagent/reward/reward.hpp"

namespace dualagent {

/// A base reward plus a bonus for every tool call, up to a cap; abstains where the base does.
///
/// A base reward of 0 or less counts as wrong: the bonus never lifts it above 0, however many calls
/// were made. Summaries earn nothing.
/// Example: PerCallBonus<ExactMatch>{.base = {.failure = -1.0}, .bonus_per_call = 0.05}.
template <class Base>
struct PerCallBonus {
  static_assert(check_reward<Base>());

  Base base;
  double bonus_per_call = 0.05;
  double max_bonus = 0.4;
  void validate() const {
    require_option(bonus_per_call, kFinite, "bonus_per_call", "PerCallBonus");
    require_option(max_bonus, kNotNegative, "max_bonus", "PerCallBonus");
    validate_all(base);
  }

  std::optional<double> score(const Task& task, const Rollout& rollout) const {
    return with_bonus(rollout, base.score(task, rollout));
  }

  void score_all(std::span<const ScoreRequest> requests,
                 std::span<std::optional<double>> scores) const {
    dualagent::score_all(base, requests, scores);
    for (std::size_t i = 0; i < scores.size(); ++i)
      scores[i] = with_bonus(*requests[i].rollout, scores[i]);
  }

 private:
  std::optional<double> with_bonus(const Rollout& rollout, std::optional<double> plain) const {
    if (!plain) return std::nullopt;
    const double bonus = std::min(max_bonus, bonus_per_call * static_cast<double>(rollout.calls));
    return add_bonus(*plain, bonus);
  }
};

}  // namespace dualagent
