#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dualagent/cpu/loops.inl"
#include "dualagent/kernels/advantage.inl"

namespace dualagent {

/// What one entry of an estimator's statistics stands for.
enum class StatisticsUnit : std::uint8_t { rollout, segment };

/// Turns the rewards of rollouts into advantages.
///
/// Syntactic requirement on a constant a: `a.estimate(rewards, group_begin, advantages)`: R rewards
/// of G groups, group g is [group_begin[g], group_begin[g + 1]), writes R advantages.
/// Semantic requirements: one entry per logical rollout, never per segment; permuting a group
/// permutes its advantages; groups do not influence each other.
/// Optional, all `static constexpr`:
/// - `bool compares_group = false`: groups of one make sense.
/// - `bool whitens = true`: the trainer brings the advantages of all trained tokens, over all
/// ranks,
///   to mean 0 and variance 1 before it uses them.
/// - `StatisticsUnit statistics = StatisticsUnit::segment`: one entry per trained segment; refused
///   with views that train several segments of a rollout.
template <class A>
concept AdvantageEstimator = requires(const A& estimator, std::span<const double> rewards,
                                      std::span<const std::size_t> group_begin,
                                      std::span<double> advantages) {
  estimator.estimate(rewards, group_begin, advantages);
};

template <class A>
consteval bool compares_group() {
  if constexpr (requires { A::compares_group; })
    return A::compares_group;
  else
    return true;
}
template <class A>
consteval bool whitens() {
  if constexpr (requires { A::whitens; })
    return A::whitens;
  else
    return false;
}

/// Calls `write(i, moments)` for every rollout i with the moments of its group's rewards.
template <class Write>
void for_each_in_group(std::span<const double> rewards, std::span<const std::size_t> group_begin,
                       Write&& write) {
  using Moments = kernels::Moments<double>;
  for (std::size_t g = 0; g + 1 < group_begin.size(); ++g) {
    const std::size_t begin = group_begin[g];
    const std::size_t size = group_begin[g + 1] - begin;
    const auto moments = cpu::map_reduce(
        size, Moments{}, [&](std::size_t i) { return Moments::of(rewards[begin + i]); });
    cpu::for_each(size, [&](std::size_t i) { write(begin + i, moments); });
  }
}

/// (R - mean) / (std + epsilon) within the group, unbiased standard deviation (GRPO).
///
/// A group of one and a group of equal rewards get exactly 0; an empty group is ignored.
/// Example: rewards 1, 0, 0, 1 have mean 1/2 and std 1/sqrt(3): advantages about +-0.866.
struct GroupNormalized {
  double epsilon = 1e-6;
  void estimate(std::span<const double> rewards, std::span<const std::size_t> group_begin,
                std::span<double> advantages) const {
    for_each_in_group(rewards, group_begin, [&](std::size_t i, const auto& group) {
      advantages[i] = kernels::group_normalized(rewards[i], group, epsilon);
    });
  }
};

/// R - mean within the group, not divided by the standard deviation (Dr. GRPO, MemAgent).
/// Groups of one and of equal rewards get exactly 0.
struct GroupCentered {
  void estimate(std::span<const double> rewards, std::span<const std::size_t> group_begin,
                std::span<double> advantages) const {
    for_each_in_group(rewards, group_begin, [&](std::size_t i, const auto& group) {
      advantages[i] = kernels::group_centered(rewards[i], group);
    });
  }
};

/// R - mean of the other rewards of the group; 0 in a group of one.
/// Source: Ahmadian et al., "Back to basics" (RLOO), 2024, section 2.2.
struct LeaveOneOut {
  void estimate(std::span<const double> rewards, std::span<const std::size_t> group_begin,
                std::span<double> advantages) const {
    for_each_in_group(rewards, group_begin, [&](std::size_t i, const auto& group) {
      advantages[i] = kernels::leave_one_out(rewards[i], group);
    });
  }
};

/// The reward itself, compared with nothing.
struct RawReward {
  static constexpr bool compares_group = false;
  void estimate(std::span<const double> rewards, std::span<const std::size_t>,
                std::span<double> advantages) const {
    cpu::for_each(rewards.size(), [&](std::size_t i) { advantages[i] = rewards[i]; });
  }
};

/// Another estimator's advantages, whitened over all trained tokens of all ranks: mean 0, unbiased
/// variance 1 (1e-8 is added to it).
///
/// `Whitened<RawReward>` is REINFORCE++, `Whitened<GroupCentered>` its form with a baseline.
/// Source: Hu et al., "REINFORCE++", 2025 (2501.03262), eq. 9 and 12.
template <AdvantageEstimator Estimator>
struct Whitened {
  static constexpr bool whitens = true;
  static constexpr bool compares_group = dualagent::compares_group<Estimator>();
  Estimator estimator = {};
  void estimate(std::span<const double> rewards, std::span<const std::size_t> group_begin,
                std::span<double> advantages) const {
    estimator.estimate(rewards, group_begin, advantages);
  }
};

}  // namespace dualagent
