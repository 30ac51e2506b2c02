#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dualagent/core/check.hpp"
#include "dualagent/core/types.hpp"
#include "dualagent/trace/context.hpp"

namespace dualagent {

/// Whether a rewriter wants a summary to be sampled first.
enum class SummaryUse : std::uint8_t { required, none };

/// Makes the context with which the Answerer goes on once the old one is overlong.
///
/// Syntactic requirements on a rewriter type R and a constant r:
/// 1. `R::summary_use` is a constant of type SummaryUse.
/// 2. `r.rewrite(old_context, summary)` returns the new Context; `summary` holds the summary as the
///    dialect presents it, or nothing if R uses none.
/// Optional: `void validate() const` and `void validate(std::size_t max_context_tokens) const`
/// refuse values that cannot be meant by throwing Error.
/// Semantic requirements: pure; the new context begins with the old one's prompt; all its spans are
/// given (copies of sampled tokens are never trained twice).
template <class R>
concept ContextRewriter = requires(const R& rewriter, const Context& context,
                                   std::span<const Token> summary) {
  { R::summary_use } -> std::convertible_to<SummaryUse>;
  { rewriter.rewrite(context, summary) } -> std::same_as<Context>;
};

/// One readable sentence if R is not a ContextRewriter.
template <class R>
consteval bool check_context_rewriter() {
  static_assert(ContextRewriter<R>,
                "dualagent: a ContextRewriter needs 'static constexpr SummaryUse summary_use' and "
                "'Context rewrite(const Context&, std::span<const Token> summary) const'; see "
                "docs/policies.md#rewriters");
  return true;
}

/// A copy of a span in which nothing is trained: generated and demonstrated tokens become a given
/// action.
inline void append_copy(Context& target, const Context& source, const Span& span) {
  const bool made = span.is_generated() || span.provenance == Provenance::demonstration;
  const Provenance provenance = made ? Provenance::action : span.provenance;
  target.append(provenance, source.tokens(span), span.agent);
}

/// A copy in which nothing is trained, of the first `tokens` tokens, which end with a span.
inline Context copy_as_given(const Context& source, std::size_t tokens) {
  Context copy;
  for (const Span& span : source.spans())
    if (span.end() <= tokens) append_copy(copy, source, span);
  return copy;
}

/// The same for the history of a fork, in which what was sampled is inherited.
inline Context copy_as_history(const Context& source, std::size_t tokens) {
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

namespace detail {

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

}  // namespace detail

/// The Answerer goes on from [prompt, summary].
struct ReplaceBySummary {
  static constexpr SummaryUse summary_use = SummaryUse::required;
  Context rewrite(const Context& old, std::span<const Token> summary) const {
    Context context = detail::copy_prompt(old);
    context.append(Provenance::summary, summary, AgentRole::summarizer);
    return context;
  }
};

/// The Answerer goes on from [prompt, summary, last turns verbatim].
struct KeepLastTurns {
  static constexpr SummaryUse summary_use = SummaryUse::required;
  std::size_t turns = 2;
  Context rewrite(const Context& old, std::span<const Token> summary) const {
    Context context = ReplaceBySummary{}.rewrite(old, summary);
    const std::vector<std::size_t> starts = detail::turn_starts(old);
    if (turns == 0 || starts.empty()) return context;
    const std::size_t kept = turns < starts.size() ? turns : starts.size();
    detail::append_turns_from(context, old, starts[starts.size() - kept]);
    return context;
  }
};

/// Baseline without a Summarizer: whole oldest turns are dropped until at most `max_tokens` are
/// left. The prompt always stays; so does the last turn, even if it alone is too long.
struct SlidingWindow {
  static constexpr SummaryUse summary_use = SummaryUse::none;
  std::size_t max_tokens = 2048;  ///< below the context window's
  void validate(std::size_t max_context_tokens) const {
    require_below_window(max_tokens, max_context_tokens, "SlidingWindow");
  }
  Context rewrite(const Context& old, std::span<const Token>) const {
    const std::vector<std::size_t> starts = detail::turn_starts(old);
    for (std::size_t oldest = 0;; ++oldest) {
      Context context = detail::copy_prompt(old);
      if (oldest < starts.size()) detail::append_turns_from(context, old, starts[oldest]);
      if (context.size() <= max_tokens || oldest + 1 >= starts.size()) return context;
    }
  }
};

}  // namespace dualagent
