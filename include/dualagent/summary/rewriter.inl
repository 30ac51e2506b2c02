#pragma once

/// Definitions of rewriter.hpp; see core/compiled.hpp.

#include "dualagent/summary/rewriter.hpp"

namespace dualagent {

DUALAGENT_INLINE void append_copy(Context& target, const Context& source, const Span& span) {
  const bool made = span.is_generated() || span.provenance == Provenance::demonstration;
  const Provenance provenance = made ? Provenance::action : span.provenance;
  target.append(provenance, source.tokens(span), span.agent);
}

DUALAGENT_INLINE Context copy_as_given(const Context& source, std::size_t tokens) {
  Context copy;
  for (const Span& span : source.spans())
    if (span.end() <= tokens) append_copy(copy, source, span);
  return copy;
}

DUALAGENT_INLINE Context copy_as_history(const Context& source, std::size_t tokens) {
  Context copy;
  for (const Span& span : source.spans()) {
    if (span.end() > tokens) break;
    if (span.is_generated())
      copy.append(Provenance::inherited, source.tokens(span), span.agent);
    else
      append_copy(copy, source, span);
  }
  return copy;
}

}  // namespace dualagent

namespace dualagent::detail {

inline Context copy_prompt(const Context& old) {
  Context context;
  for (const Span& span : old.spans())
    if (span.provenance == Provenance::prompt) append_copy(context, old, span);
  return context;
}

/// Whether span i is what the protocol writes right before a turn, e.g. the header of a message.
inline bool opens_turn(std::span<const Span> spans, std::size_t i) {
  return spans[i].provenance == Provenance::injected && i + 1 < spans.size() &&
         starts_turn(spans[i + 1]);
}

/// The spans of the Answerer's turns, their openings and observations, without prompt and
/// summaries.
inline bool belongs_to_turn(std::span<const Span> spans, std::size_t i) {
  return starts_turn(spans[i]) || opens_turn(spans, i) ||
         spans[i].provenance == Provenance::observation;
}

/// Index of the first span of each turn: its opening, where it has one.
inline std::vector<std::size_t> turn_starts(const Context& context) {
  std::vector<std::size_t> starts;
  const std::span<const Span> spans = context.spans();
  for (std::size_t i = 0; i < spans.size(); ++i)
    if (starts_turn(spans[i])) starts.push_back(i > 0 && opens_turn(spans, i - 1) ? i - 1 : i);
  return starts;
}

inline void append_turns_from(Context& target, const Context& old, std::size_t first_span) {
  for (std::size_t i = first_span; i < old.spans().size(); ++i)
    if (belongs_to_turn(old.spans(), i)) append_copy(target, old, old.spans()[i]);
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE Context ReplaceBySummary::rewrite(const Context& old,
                                                   std::span<const Token> summary) const {
  Context context = detail::copy_prompt(old);
  context.append(Provenance::summary, summary, AgentRole::summarizer);
  return context;
}

DUALAGENT_INLINE Context KeepLastTurns::rewrite(const Context& old,
                                                std::span<const Token> summary) const {
  Context context = ReplaceBySummary{}.rewrite(old, summary);
  const std::vector<std::size_t> starts = detail::turn_starts(old);
  if (turns == 0 || starts.empty()) return context;
  const std::size_t kept = turns < starts.size() ? turns : starts.size();
  detail::append_turns_from(context, old, starts[starts.size() - kept]);
  return context;
}

DUALAGENT_INLINE Context SlidingWindow::rewrite(const Context& old, std::span<const Token>) const {
  const std::vector<std::size_t> starts = detail::turn_starts(old);
  for (std::size_t oldest = 0;; ++oldest) {
    Context context = detail::copy_prompt(old);
    if (oldest < starts.size()) detail::append_turns_from(context, old, starts[oldest]);
    if (context.size() <= max_tokens || oldest + 1 >= starts.size()) return context;
  }
}

}  // namespace dualagent
