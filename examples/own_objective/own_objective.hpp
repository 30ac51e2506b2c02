#pragma once

#include <algorithm>
#include <numeric>
#include <span>

#include "dualagent/objective/objective.hpp"

/// A complete objective of your own: small policies, nothing to register, no gradient to derive.
/// The trainer inlines it into its loops, a CUDA kernel into itself.
namespace own {

struct BestOfGroup {  // compare with the best of the group, not with its mean
  void estimate(std::span<const double> rewards, std::span<const std::size_t> begin,
                std::span<double> advantages) const {
    for (std::size_t g = 0; g + 1 < begin.size(); ++g) {
      const auto group = rewards.subspan(begin[g], begin[g + 1] - begin[g]);
      const double mean = std::reduce(group.begin(), group.end()) / double(group.size());
      const double best = *std::max_element(group.begin(), group.end());
      for (std::size_t i = 0; i < group.size(); ++i)
        advantages[begin[g] + i] = best > mean ? (group[i] - mean) / (best - mean) : 0.0;
    }
  }
};
struct SoftClip {  // tanh instead of a hard clip: a smooth trust region
  template <class S>
  constexpr S operator()(const dualagent::TokenTerms<S>& t) const {
    const S e = exp(S(2) * clamp(t.log_prob - t.old_log_prob, S(-5), S(5)) / S(0.3));
    return -(S(0.3) * (e - S(1)) / (e + S(1)) * t.advantage);
  }
};
using Objective = dualagent::Objective<BestOfGroup, SoftClip, dualagent::RolloutMean>;

}  // namespace own
