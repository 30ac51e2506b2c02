#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <deque>
#include <numeric>
#include <optional>
#include <span>
#include <string>

#include "dualagent/core/number_text.hpp"
#include "dualagent/kernels/combine.inl"
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
    Moments moments = kAdd.identity();
    for (const Rollout& rollout : rollouts)
      if (rollout.status != RolloutStatus::aborted)
        moments = kAdd(moments, kAdd.of(rollout.reward));
    steps_.push_back(moments);
    if (steps_.size() > 2 * kSteps) steps_.pop_front();
    if (steps_.size() == 2 * kSteps) keep_best(step - kSteps);
    if (!best_) return {};
    const Window last{step, all_of(steps_.end() - kSteps, steps_.end())};
    if (last.rewards.count == 0 || !has_fallen(last.rewards)) return {};
    return "the mean reward has fallen from " + best_->text() + " to " + last.text() +
           ". Unless the tasks have become harder, the learning rate is too large: go on from an "
           "earlier checkpoint with a third of it";
  }

 private:
  static constexpr std::ptrdiff_t kSteps = 5;  // of a window

  using Moments = kernels::MomentsState<double>;
  static constexpr kernels::Moments<double> kAdd{};

  struct Window {
    std::size_t last_step;
    Moments rewards;
    std::string text() const {
      return trimmed_text(rewards.mean, 3) + " in steps " +
             std::to_string(last_step + 1 - static_cast<std::size_t>(kSteps)) + " to " +
             std::to_string(last_step);
    }
  };
  using Steps = std::deque<Moments>;

  static Moments all_of(Steps::const_iterator begin, Steps::const_iterator end) {
    return std::accumulate(begin, end, kAdd.identity(), kAdd);
  }
  static double deviation(const Moments& rewards) {
    return std::sqrt(rewards.squares / rewards.count);
  }

  /// The window before the last one may be the best one so far.
  void keep_best(std::size_t last_step) {
    const Window before{last_step, all_of(steps_.begin(), steps_.begin() + kSteps)};
    if (before.rewards.count == 0) return;
    if (!best_ || before.rewards.mean > best_->rewards.mean) best_ = before;
  }

  bool has_fallen(const Moments& last) const {
    const Moments& best = best_->rewards;
    const double errors = 4 * std::sqrt(1 / best.count + 1 / last.count);
    const double spread = std::max(deviation(best), deviation(last));
    const double rounding = 1e-9 * std::abs(best.mean);  // of rewards that are all equal
    return best.mean - last.mean > spread * std::max(1.0, errors) + rounding;
  }

  Steps steps_;  // the last two windows
  std::optional<Window> best_;
};

}  // namespace dualagent
