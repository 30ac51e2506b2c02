#pragma once

/// Definitions of render.hpp; see core/compiled.hpp.

#include "dualagent/trace/render.hpp"

namespace dualagent::detail {

inline bool is_made(const Span& span) {
  return span.is_generated() || span.provenance == Provenance::demonstration;
}

/// Tokens of the history that a later segment has to do without, unless it keeps or copies them.
inline bool is_history(const Span& span) {
  if (span.provenance == Provenance::prompt || span.provenance == Provenance::injected)
    return false;
  return !(is_made(span) && span.agent == AgentRole::summarizer);
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE std::optional<Replacement> find_replacement(const Rollout& rollout,
                                                             std::size_t segment) {
  const Segment& child = rollout.segments.at(segment);
  if (child.owner != AgentRole::answerer || !child.parent) return std::nullopt;
  Replacement replacement{.segment = *child.parent};
  std::size_t kept = 0;
  for (const Span& span : child.context.spans()) {
    if (detail::is_made(span)) break;  // the new window's own turns begin
    if (span.provenance == Provenance::summary) replacement.summary_tokens += span.size;
    if (span.provenance == Provenance::action || span.provenance == Provenance::observation)
      kept += span.size;
  }
  std::size_t history = 0;
  for (const Span& span : rollout.segments.at(*child.parent).context.spans())
    if (detail::is_history(span)) history += span.size;
  replacement.dropped_tokens = history > kept ? history - kept : 0;
  return replacement;
}

}  // namespace dualagent

namespace dualagent::detail {

DUALAGENT_INLINE std::string_view render_label(const Span& span) {
  const bool answerer = span.agent == AgentRole::answerer;
  switch (span.provenance) {
    case Provenance::prompt:
      return "[task]";
    case Provenance::observation:
      return "[env] ";
    case Provenance::injected:
      return "[req] ";
    case Provenance::summary:
      return "[sum] ";
    case Provenance::action:
      return "[ans] ";
    case Provenance::demonstration:
      return answerer ? "[dANS]" : "[dSUM]";
    case Provenance::inherited:
      return answerer ? "[ans] " : "[sum] ";
    case Provenance::sampled:
      return answerer ? "[ANS] " : "[SUM] ";
  }
  return "[?]   ";
}

DUALAGENT_INLINE std::string render_title(const Rollout& rollout) {
  std::string text = "task " + printable(rollout.task_id) + ", rollout " +
                     std::to_string(rollout.member) + ": " + std::string(to_string(rollout.status));
  if (!rollout.ending.empty()) text += " (" + printable(rollout.ending) + ")";
  if (rollout.answer) text += ", answer \"" + printable(*rollout.answer) + "\"";
  return text + ", reward " + shortest_text(rollout.reward) + '\n';
}

DUALAGENT_INLINE std::string render_heading(const Rollout& rollout, std::size_t index) {
  const Segment& segment = rollout.segments[index];
  std::string text = "segment " + std::to_string(index + 1) + ", " +
                     std::string(to_string(segment.owner)) + ", " +
                     std::to_string(segment.context.size()) + " tokens";
  if (const std::optional<Replacement> replaced = find_replacement(rollout, index)) {
    const std::string dropped = std::to_string(replaced->dropped_tokens) + " tokens of segment " +
                                std::to_string(replaced->segment + 1);
    text += replaced->summary_tokens > 0
                ? "; a summary of " + std::to_string(replaced->summary_tokens) +
                      " tokens replaces " + dropped
                : "; without " + dropped;
  } else if (segment.parent) {
    text += "; summarizes segment " + std::to_string(*segment.parent + 1);
  }
  return text + '\n';
}

}  // namespace dualagent::detail
