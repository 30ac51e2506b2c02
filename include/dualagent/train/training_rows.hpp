#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/cpu/loops.inl"
#include "dualagent/loops/loss_weight.inl"
#include "dualagent/trace/packed_batch.hpp"
#include "dualagent/trace/rollout.hpp"

namespace dualagent {

/// Number of tokens of a segment that `trains(span)` selects.
template <class Trains>
std::size_t count_trained(const Segment& segment, Trains&& trains) {
  std::size_t count = 0;
  for (const Span& span : segment.context.spans())
    if (trains(span)) count += span.size;
  return count;
}

/// What is the same for all trained tokens of one row.
struct RowOptions {
  PerAgent loss_weight = 1.0F;
  float advantage = 0.0F;
  std::uint32_t rollout = 0;  ///< index in the batch, for error messages
};

/// Appends one segment as a row of the batch; tokens of spans that `trains(span)` selects get the
/// row's weight and advantage, their own weight version, and their own log-probability at sampling,
/// also as that of the old policy; all others are masked.
///
/// Tokens after the last trained one are left out: they cannot influence it. A segment without
/// trained tokens appends nothing. The mask comes from spans alone, never from token values.
/// Errors: throws if the very first token of a segment is selected; nothing predicts it.
template <class Trains>
void append_training_row(PackedBatch& batch, const Segment& segment, Trains&& trains,
                         const RowOptions& options) {
  const Context& context = segment.context;
  std::size_t end = 0;
  for (const Span& span : context.spans())
    if (trains(span)) end = span.end();
  if (end == 0) return;
  const std::size_t begin = batch.append_row(context.tokens().first(end), options.rollout);
  std::vector<std::size_t> span_begin;  // [spans + 1]
  std::vector<float> span_weight;       // [spans]
  for (const Span& span : context.spans()) {
    span_begin.push_back(span.begin);
    span_weight.push_back(trains(span) ? options.loss_weight.of(span.agent) : 0.0F);
    if (!trains(span)) continue;
    if (span.begin == 0)
      throw Error("the first token of a context cannot be trained: nothing predicts it",
                  "rollout " + std::to_string(options.rollout),
                  "Let every context begin with given tokens, e.g. a start token");
    for (std::size_t i = span.begin; i < span.end(); ++i) {
      batch.sampler_log_prob[begin + i] = context.log_probs()[i];
      batch.old_log_prob[begin + i] = context.log_probs()[i];
      batch.advantage[begin + i] = options.advantage;
      batch.agent[begin + i] = span.agent;
      batch.weight_version[begin + i] = context.weight_versions()[i];
    }
  }
  span_begin.push_back(context.tokens().size());
  cpu::Loops machine;
  loops::span_weights(machine, end, {span_weight.size(), span_begin.data(), span_weight.data()},
                      batch.loss_weight.data() + begin);
}

}  // namespace dualagent
