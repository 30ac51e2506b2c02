#pragma once

/// Definitions of sampled_summary.hpp; see core/compiled.hpp.

#include "dualagent/trace/sampled_summary.hpp"

namespace dualagent {

DUALAGENT_INLINE std::vector<SampledSummary> sampled_summaries(const Rollout& rollout) {
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

DUALAGENT_INLINE std::size_t count_history(const Rollout& rollout, const SampledSummary& summary) {
  const std::span<const Span> spans = rollout.segments.at(summary.segment).context.spans();
  std::size_t tokens = 0;
  for (const Span& span : spans.first(summary.history_spans))
    tokens += span.provenance == Provenance::prompt ? 0 : span.size;
  return tokens;
}

}  // namespace dualagent
