#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include "dualagent/reward/reward.hpp"

namespace dualagent {

/// A part of a RewardSum.
template <class R>
struct Weighted {
  static_assert(check_reward<R>());
  double weight = 1.0;
  R reward;
};
template <class R>
Weighted(double, R) -> Weighted<R>;

/// The sum of weight * reward over its parts; abstains where any of them does.
///
/// Every part is asked about all rollouts at once, one part after another.
/// Example: RewardSum{Weighted{1.0, BoxedMath{}}, Weighted{0.5, OverlongPenalty{}}}.
template <class... R>
class RewardSum {
  static_assert((check_reward<R>() && ...));
  static_assert(sizeof...(R) > 0,
                "dualagent: a RewardSum needs parts; write RewardSum{Weighted{1.0, YourReward{}}}; "
                "see docs/rewards.md");

 public:
  explicit RewardSum(Weighted<R>... parts) : parts_(std::move(parts)...) {}

  void validate() const {
    const auto validate = [](const auto& part) {
      require_option(part.weight, kFinite, "a weight", "RewardSum");
      validate_all(part.reward);
    };
    std::apply([&](const auto&... part) { (validate(part), ...); }, parts_);
  }

  std::optional<double> score(const Task& task, const Rollout& rollout) const {
    const ScoreRequest request{&task, &rollout};
    std::optional<double> sum;
    score_all(std::span(&request, 1), std::span(&sum, 1));
    return sum;
  }

  void score_all(std::span<const ScoreRequest> requests,
                 std::span<std::optional<double>> sums) const {
    for (std::optional<double>& sum : sums) sum = 0.0;
    std::vector<std::optional<double>> scores(requests.size());
    const auto add = [&](const auto& part) {
      dualagent::score_all(part.reward, requests, std::span(scores));
      for (std::size_t i = 0; i < sums.size(); ++i) {
        if (sums[i] && scores[i])
          *sums[i] += part.weight * *scores[i];
        else
          sums[i].reset();
      }
    };
    std::apply([&](const auto&... part) { (add(part), ...); }, parts_);
  }

 private:
  std::tuple<Weighted<R>...> parts_;
};

}  // namespace dualagent
