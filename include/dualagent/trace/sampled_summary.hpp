#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/trace/rollout.hpp"

namespace dualagent {

/// A summary that the Summarizer sampled in a rollout, and the history that it compresses.
struct SampledSummary {
  std::size_t segment = 0;        ///< in which it was sampled
  std::size_t history_spans = 0;  ///< the history is this many spans, the segment's first
  std::size_t span = 0;           ///< the summary: this span of that segment
};

/// The summaries of the whole logical rollout, in the order in which they were sampled: in a fork
/// those of its history, too. Copies that the Answerer reads are not among them. The request for a
/// summary is not part of its history. The same for shared and separate weights.
std::vector<SampledSummary> sampled_summaries(const Rollout& rollout);

/// Tokens that a summary stands for: its history without the task, which the Answerer keeps.
std::size_t count_history(const Rollout& rollout, const SampledSummary& summary);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/trace/sampled_summary.inl"
#endif
