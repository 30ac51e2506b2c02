#pragma once

#include <concepts>
#include <cstdint>

#include "dualagent/core/check.hpp"
#include "dualagent/kernels/mask.inl"

namespace dualagent {

using kernels::TokenCounts;

/// What an aggregation takes the mean of.
enum class AggregationUnit : std::uint8_t { token, rollout, segment };

/// Decides how much each token's loss weighs in the minibatch's loss.
///
/// What is counted: the rollouts of the minibatch, over all ranks, forks included, of which the
/// view trains a token, whatever their advantages. Aborted rollouts and those that the view masks
/// (an unfinished one under FinishedOnly) are not counted. A model counts the tokens that it owns.
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

/// One readable sentence if A is not an Aggregation.
template <class A>
consteval bool check_aggregation() {
  static_assert(Aggregation<A>,
                "dualagent: an Aggregation needs 'double weight(const TokenCounts&) const'; see "
                "docs/objectives.md#aggregations");
  return true;
}

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
  void validate() const { require_option(max_tokens, kPositive, "max_tokens", "FixedLength"); }
  constexpr double weight(const TokenCounts& counts) const {
    return 1.0 / (counts.rollouts * max_tokens);
  }
};

/// Another aggregation over rollouts of an advantage other than 0 alone: those of advantage 0 are
/// neither trained nor counted, not even by a regularizer. Steps then keep their size while groups
/// of equal rewards become common, in exchange for a gradient that is no longer the mean over the
/// sampled rollouts. A rollout that was forked is left out where both of its advantages are 0.
/// Example: Objective{GroupNormalized{}, ClipLoss{}, NonzeroAdvantageOnly<RolloutMean>{}}
template <class A>
struct NonzeroAdvantageOnly : A {
  static_assert(check_aggregation<A>());
  static constexpr bool nonzero_advantage_only = true;
};

/// Whether an aggregation leaves out rollouts of advantage 0.
template <class A>
consteval bool nonzero_advantage_only() {
  if constexpr (requires { A::nonzero_advantage_only; })
    return A::nonzero_advantage_only;
  else
    return false;
}

}  // namespace dualagent
