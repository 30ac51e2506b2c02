#pragma once

#include <cstddef>

#include "dualagent/kernels/combine.inl"
#include "dualagent/kernels/mask.inl"
#include "dualagent/kernels/segments.inl"

/// From spans to the weight of each token's loss, on any machine's loops: T tokens lie in spans,
/// and in segments (rows of the batch), which lie in rollouts. All arrays lie on the machine of
/// `loops`.
namespace dualagent::loops {

/// Which tokens are trained: spans follow one another and cover the tokens.
struct SpanTable {
  std::size_t spans = 0;
  const std::size_t* begin = nullptr;  ///< [spans + 1] first token of each
  const float* weight = nullptr;  ///< [spans] 0 for given spans and for agents that do not train
};

/// Which tokens belong together.
struct SegmentTable {
  std::size_t tokens = 0;
  std::size_t segments = 0;
  std::size_t rollouts = 0;
  const std::size_t* segment_begin = nullptr;  ///< [segments + 1] first token of each
  const std::size_t* rollout_begin = nullptr;  ///< [rollouts + 1] first segment of each
};

namespace detail {

struct WriteSpanWeight {
  static constexpr bool searches = true;
  SpanTable spans;
  float* weight;
  DUALAGENT_HD void operator()(std::size_t t) const {
    weight[t] = spans.weight[kernels::segment_of(spans.spans, spans.begin, t)];
  }
};

struct CountTrained {
  const float* weight;
  DUALAGENT_HD double operator()(std::size_t t) const {
    return kernels::is_trained(weight[t]) ? 1.0 : 0.0;
  }
};

struct ReadCount {
  const double* count;
  DUALAGENT_HD double operator()(std::size_t i) const { return count[i]; }
};

struct IsNotEmpty {
  const double* count;
  DUALAGENT_HD double operator()(std::size_t i) const { return count[i] > 0.0 ? 1.0 : 0.0; }
};

template <class Aggregation>
struct WeighToken {
  static constexpr bool searches = true;
  Aggregation aggregation;
  SegmentTable table;
  kernels::TokenCounts totals;
  const double* segment_tokens;
  const double* rollout_tokens;
  float* weight;

  DUALAGENT_HD void operator()(std::size_t t) const {
    if (!kernels::is_trained(weight[t])) return;
    const std::size_t s = kernels::segment_of(table.segments, table.segment_begin, t);
    const std::size_t r = kernels::segment_of(table.rollouts, table.rollout_begin, s);
    kernels::TokenCounts counts = totals;
    counts.segment_tokens = segment_tokens[s];
    counts.rollout_tokens = rollout_tokens[r];
    weight[t] *= static_cast<float>(aggregation.weight(counts));
  }
};

}  // namespace detail

/// The loss mask from span provenance: weight[t] of each token is that of its span. The mask does
/// not depend on advantages, so that LossWeights counts a rollout of advantage 0 too; for a
/// NonzeroAdvantageOnly aggregation give that rollout's spans the weight 0.
template <class Loops>
void span_weights(Loops& loops, std::size_t tokens, const SpanTable& spans, float* weight) {
  loops.for_each(tokens, detail::WriteSpanWeight{spans, weight});
}

/// Multiplies each trained token's weight by what an Aggregation says of it; masked tokens stay 0.
///
/// `totals` of the whole minibatch over all ranks: `count_tokens` gives this rank's. The
/// aggregation is inlined; its `weight` must be constexpr on a device.
template <class Loops>
class LossWeights {
 public:
  /// Counts trained tokens of this rank: tokens, rollouts and segments; call it before `apply`.
  kernels::TokenCounts count_tokens(Loops& loops, const SegmentTable& table, const float* weight) {
    segment_tokens_.resize(table.segments);
    rollout_tokens_.resize(table.rollouts);
    const kernels::Sum<double> sum;
    loops.segmented_map_reduce(table.segments, table.segment_begin, sum,
                               detail::CountTrained{weight}, segment_tokens_.data());
    loops.segmented_map_reduce(table.rollouts, table.rollout_begin, sum,
                               detail::ReadCount{segment_tokens_.data()}, rollout_tokens_.data());
    return {
        .tokens = loops.map_reduce(table.segments, sum, detail::ReadCount{segment_tokens_.data()}),
        .rollouts =
            loops.map_reduce(table.rollouts, sum, detail::IsNotEmpty{rollout_tokens_.data()}),
        .segments =
            loops.map_reduce(table.segments, sum, detail::IsNotEmpty{segment_tokens_.data()})};
  }

  template <class Aggregation>
  void apply(Loops& loops, const Aggregation& aggregation, const SegmentTable& table,
             const kernels::TokenCounts& totals, float* weight) {
    loops.for_each(table.tokens, detail::WeighToken<Aggregation>{aggregation, table, totals,
                                                                 segment_tokens_.data(),
                                                                 rollout_tokens_.data(), weight});
  }

 private:
  typename Loops::template Array<double> segment_tokens_;  // [segments]
  typename Loops::template Array<double> rollout_tokens_;  // [rollouts]
};

}  // namespace dualagent::loops
