#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>

#include "dualagent/trace/rollout.hpp"

namespace dualagent {

/// Chooses which sampled spans of a rollout are trained.
///
/// Syntactic requirement on a constant v: `v.trains(rollout, segment, span)` returns bool for the
/// span of `rollout.segments[segment]`.
/// Semantic requirements: pure. It is asked about sampled spans only: given tokens cannot be
/// trained by any view, and a sampled token exists once, so none trains it twice.
template <class V>
concept TrainingView = requires(const V& view, const Rollout& rollout, std::size_t segment,
                                const Span& span) {
  { view.trains(rollout, segment, span) } -> std::same_as<bool>;
};

/// One readable sentence if V is no TrainingView.
template <class V>
consteval bool check_training_view() {
  static_assert(TrainingView<V>,
                "dualagent: a TrainingView needs 'bool trains(const Rollout&, std::size_t segment, "
                "const Span&) const'; see docs/policies.md#training-views");
  return true;
}

/// Every sampled token: all turns and all summaries (SUPO, arXiv 2510.06727).
struct AllSegments {
  bool trains(const Rollout&, std::size_t, const Span&) const { return true; }
};

/// The Answerer's turns, in all segments.
struct AnswererOnly {
  bool trains(const Rollout&, std::size_t, const Span& span) const {
    return span.agent == AgentRole::answerer;
  }
};

/// The summaries.
struct SummarizerOnly {
  bool trains(const Rollout&, std::size_t, const Span& span) const {
    return span.agent == AgentRole::summarizer;
  }
};

enum class SummaryTraining : std::uint8_t { all, none };

/// The Answerer's turns in its last segment: the last summary and its continuation.
///
/// `summaries` says whether the Summarizer's own tokens are trained, wherever they are; the
/// reference system trains them apart (`none` here).
struct FinalSegment {
  SummaryTraining summaries = SummaryTraining::none;
  bool trains(const Rollout& rollout, std::size_t segment, const Span& span) const {
    if (span.agent == AgentRole::summarizer) return summaries == SummaryTraining::all;
    for (std::size_t later = segment + 1; later < rollout.segments.size(); ++later)
      if (rollout.segments[later].owner == AgentRole::answerer) return false;
    return true;
  }
};

}  // namespace dualagent
