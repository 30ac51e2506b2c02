#pragma once

#include <concepts>
#include <cstdint>

#include "dualagent/kernels/mask.inl"

namespace dualagent {

using kernels::TokenCounts;

/// What an aggregation takes the mean of.
enum class AggregationUnit : std::uint8_t { token, rollout, segment };

/// Decides how much each token's loss weighs in the minibatch's loss.
///
/// Syntactic requirement on a constant a: `a.weight(counts)` returns double; constexpr, if it is to
/// run on a device.
/// Semantic requirement: the weights of all trained tokens of a minibatch sum to 1, unless the type
/// says otherwise.
/// Optional: `static constexpr AggregationUnit unit` says what is averaged, so that recipes that
/// make no sense are refused.
template <class A>
concept Aggregation = requires(const A& aggregation, const TokenCounts& counts) {
  { aggregation.weight(counts) } -> std::convertible_to<double>;
};

/// Every trained token weighs the same, over the whole distributed minibatch (DAPO, SUPO).
struct GlobalTokenMean {
  static constexpr AggregationUnit unit = AggregationUnit::token;
  constexpr double weight(const TokenCounts& counts) const { return 1.0 / counts.tokens; }
};

/// Every rollout weighs the same, whatever its length and number of segments (GRPO's sequence mean,
/// per logical rollout).
struct RolloutMean {
  static constexpr AggregationUnit unit = AggregationUnit::rollout;
  constexpr double weight(const TokenCounts& counts) const {
    return 1.0 / (counts.rollouts * counts.rollout_tokens);
  }
};

/// Every segment weighs the same: a rollout weighs as much as it has segments.
struct SegmentMean {
  static constexpr AggregationUnit unit = AggregationUnit::segment;
  constexpr double weight(const TokenCounts& counts) const {
    return 1.0 / (counts.segments * counts.segment_tokens);
  }
};

/// Every trained token weighs 1 / (rollouts * max_tokens): neither long nor short rollouts are
/// favoured. The weights sum to the mean length over `max_tokens`, not to 1.
/// Source: Liu et al., "Understanding R1-Zero-like training" (Dr. GRPO), 2025, section 3.2.
struct FixedLength {
  static constexpr AggregationUnit unit = AggregationUnit::token;
  double max_tokens = 1024;  ///< sampled tokens that a rollout may have
  constexpr double weight(const TokenCounts& counts) const {
    return 1.0 / (counts.rollouts * max_tokens);
  }
};

}  // namespace dualagent
