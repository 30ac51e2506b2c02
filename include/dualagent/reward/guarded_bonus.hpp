#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "dualagent/reward/reward.hpp"

namespace dualagent {

/// base + weight * bonus, except that no bonus lifts a wrong answer above 0: a base reward of 0 or
/// less counts as wrong. Abstains where either does.
///
/// For a bonus that can be had without solving the task, such as the grade of a summary.
/// Example: GuardedBonus{BoxedMath{.failure = -1.0}, judge, 0.2}.
template <class Base, class Bonus>
struct GuardedBonus {
  static_assert(check_reward<Base>() && check_reward<Bonus>());

  Base base;
  Bonus bonus;
  double weight = 1.0;

  void validate() const {
    require_option(weight, kFinite, "weight", "GuardedBonus");
    validate_all(base, bonus);
  }

  std::optional<double> score(const Task& task, const Rollout& rollout) const {
    return combine(base.score(task, rollout), bonus.score(task, rollout));
  }

  void score_all(std::span<const ScoreRequest> requests,
                 std::span<std::optional<double>> scores) const {
    dualagent::score_all(base, requests, scores);
    std::vector<std::optional<double>> extra(requests.size());
    dualagent::score_all(bonus, requests, std::span(extra));
    for (std::size_t i = 0; i < scores.size(); ++i) scores[i] = combine(scores[i], extra[i]);
  }

 private:
  std::optional<double> combine(std::optional<double> plain, std::optional<double> extra) const {
    if (!plain || !extra) return std::nullopt;
    return add_bonus(*plain, weight * *extra);
  }
};
template <class Base, class Bonus>
GuardedBonus(Base, Bonus) -> GuardedBonus<Base, Bonus>;
template <class Base, class Bonus>
GuardedBonus(Base, Bonus, double) -> GuardedBonus<Base, Bonus>;

}  // namespace dualagent
