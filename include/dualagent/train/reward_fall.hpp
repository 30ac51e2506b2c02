#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <deque>
#include <optional>
#include <span>
#include <string>

#include "dualagent/core/number_text.hpp"
#include "dualagent/trace/rollout.hpp"

namespace dualagent {

/// Notices that training has made a policy worse: the mean reward of the last steps lies more than
/// a standard deviation of single rewards below that of earlier steps, whatever the rewards' unit.
///
/// Means are taken over windows of 5 steps that do not overlap, over rollouts that were not
/// aborted; the deviation is the larger one of the two windows. Where the windows hold so few
/// rollouts that 4 standard errors are more than that, the fall has to be larger than these.
/// Example: 97 % of the rollouts of steps 9 to 13 solve their task, 15 % of those of steps 16 to
/// 20.
class RewardFall {
 public:
  /// What to say after a step with these rollouts; empty where rewards have not fallen.
  std::string look(std::size_t step, std::span<const Rollout> rollouts) {
    Sums sums;
    for (const Rollout& rollout : rollouts)
      if (rollout.status != RolloutStatus::aborted) sums.add(rollout.reward);
    steps_.push_back(sums);
    if (steps_.size() > 2 * kSteps) steps_.pop_front();
    if (steps_.size() == 2 * kSteps) keep_best(step - kSteps);
    if (steps_.size() < kSteps || !best_) return {};
    const Window last{step, sum_of(steps_.end() - kSteps, steps_.end())};
    if (last.sums.count == 0 || !has_fallen(last.sums)) return {};
    return "the mean reward has fallen from " + best_->text() + " to " + last.text() +
           ". Unless the tasks have become harder, the learning rate is too large: go on from an "
           "earlier checkpoint with a third of it";
  }

 private:
  static constexpr std::ptrdiff_t kSteps = 5;  // of a window

  struct Sums {
    double count = 0, rewards = 0, squares = 0;
    void add(double reward) {
      ++count;
      rewards += reward;
      squares += reward * reward;
    }
    double mean() const { return rewards / count; }
    double deviation() const { return std::sqrt(std::max(0.0, squares / count - mean() * mean())); }
  };
  struct Window {
    std::size_t last_step;
    Sums sums;
    std::string text() const {
      return trimmed_text(sums.mean(), 3) + " in steps " +
             std::to_string(last_step + 1 - static_cast<std::size_t>(kSteps)) + " to " +
             std::to_string(last_step);
    }
  };
  using Steps = std::deque<Sums>;

  static Sums sum_of(Steps::const_iterator begin, Steps::const_iterator end) {
    Sums all;
    for (; begin != end; ++begin) {
      all.count += begin->count;
      all.rewards += begin->rewards;
      all.squares += begin->squares;
    }
    return all;
  }

  /// The window before the last one may be the best one so far.
  void keep_best(std::size_t last_step) {
    const Window before{last_step, sum_of(steps_.begin(), steps_.begin() + kSteps)};
    if (before.sums.count == 0) return;
    if (!best_ || before.sums.mean() > best_->sums.mean()) best_ = before;
  }

  bool has_fallen(const Sums& last) const {
    const Sums& best = best_->sums;
    const double errors = 4 * std::sqrt(1 / best.count + 1 / last.count);
    const double deviation = std::max(best.deviation(), last.deviation());
    const double rounding = 1e-9 * std::abs(best.mean());  // of rewards that are all equal
    return best.mean() - last.mean() > deviation * std::max(1.0, errors) + rounding;
  }

  Steps steps_;  // the last two windows
  std::optional<Window> best_;
};

}  // namespace dualagent
