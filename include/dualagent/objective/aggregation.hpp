#pragma once

#include <concepts>

namespace dualagent {

/// Numbers of trained things in a minibatch, over all ranks, and in the token's own surroundings.
struct TokenCounts {
  double tokens = 0;          ///< trained tokens of the minibatch
  double rollouts = 0;        ///< rollouts with a trained token
  double segments = 0;        ///< segments with a trained token
  double rollout_tokens = 0;  ///< trained tokens of this token's rollout
  double segment_tokens = 0;  ///< trained tokens of this token's segment
};

/// Decides how much each token's loss weighs in the minibatch's loss.
///
/// Syntactic requirement on a constant a: `a.weight(counts)` returns double.
/// Semantic requirement: the weights of all trained tokens of a minibatch sum to 1.
template <class A>
concept Aggregation = requires(const A& aggregation, const TokenCounts& counts) {
  { aggregation.weight(counts) } -> std::convertible_to<double>;
};

/// Every trained token weighs the same, over the whole distributed minibatch (DAPO, SUPO).
struct GlobalTokenMean {
  double weight(const TokenCounts& counts) const { return 1.0 / counts.tokens; }
};

/// Every rollout weighs the same, whatever its length and number of segments (GRPO's sequence mean,
/// per logical rollout).
struct RolloutMean {
  double weight(const TokenCounts& counts) const {
    return 1.0 / (counts.rollouts * counts.rollout_tokens);
  }
};

/// Every segment weighs the same: a rollout weighs as much as it has segments.
struct SegmentMean {
  double weight(const TokenCounts& counts) const {
    return 1.0 / (counts.segments * counts.segment_tokens);
  }
};

}  // namespace dualagent
