#pragma once

#include <concepts>
#include <cstddef>
#include <span>

#include "dualagent/cpu/loops.inl"
#include "dualagent/kernels/advantage.inl"

namespace dualagent {

/// Turns the rewards of rollouts into advantages.
///
/// Syntactic requirement on a constant a: `a.estimate(rewards, group_begin, advantages)`: R rewards
/// of G groups, group g is [group_begin[g], group_begin[g + 1]), writes R advantages.
/// Semantic requirements: one entry per logical rollout, never per segment; permuting a group
/// permutes its advantages; groups do not influence each other unless the estimator says so.
template <class A>
concept AdvantageEstimator = requires(const A& estimator, std::span<const double> rewards,
                                      std::span<const std::size_t> group_begin,
                                      std::span<double> advantages) {
  estimator.estimate(rewards, group_begin, advantages);
};

/// (R - mean) / (std + epsilon) within the group, unbiased standard deviation (GRPO).
///
/// A group of one and a group of equal rewards get exactly 0; an empty group is ignored.
/// Example: rewards 1, 0, 0, 1 have mean 1/2 and std 1/sqrt(3): advantages about +-0.866.
struct GroupNormalized {
  double epsilon = 1e-6;
  void estimate(std::span<const double> rewards, std::span<const std::size_t> group_begin,
                std::span<double> advantages) const {
    using Moments = kernels::Moments<double>;
    for (std::size_t g = 0; g + 1 < group_begin.size(); ++g) {
      const std::size_t begin = group_begin[g];
      const std::size_t size = group_begin[g + 1] - begin;
      const auto moments = cpu::map_reduce(
          size, Moments{}, [&](std::size_t i) { return Moments::of(rewards[begin + i]); });
      cpu::for_each(size, [&](std::size_t i) {
        advantages[begin + i] = kernels::group_normalized(rewards[begin + i], moments, epsilon);
      });
    }
  }
};

}  // namespace dualagent
