#pragma once

#include <cstddef>
#include <span>
#include <vector>

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
inline std::vector<SampledSummary> sampled_summaries(const Rollout& rollout) {
  std::vector<SampledSummary> summaries;
  for (std::size_t s = 0; s < rollout.segments.size(); ++s) {
    const std::span<const Span> spans = rollout.segments[s].context.spans();
    for (std::size_t i = 0; i < spans.size(); ++i) {
      if (!spans[i].is_generated() || spans[i].agent != AgentRole::summarizer) continue;
      const bool requested = i > 0 && spans[i - 1].provenance == Provenance::injected;
      summaries.push_back({s, requested ? i - 1 : i, i});
    }
  }
  return summaries;
}

/// Tokens that a summary stands for: its history without the task, which the Answerer keeps.
inline std::size_t count_history(const Rollout& rollout, const SampledSummary& summary) {
  const std::span<const Span> spans = rollout.segments.at(summary.segment).context.spans();
  std::size_t tokens = 0;
  for (const Span& span : spans.first(summary.history_spans))
    tokens += span.provenance == Provenance::prompt ? 0 : span.size;
  return tokens;
}

}  // namespace dualagent
