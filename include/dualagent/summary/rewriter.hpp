#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dualagent/core/check.hpp"
#include "dualagent/core/compiled.hpp"
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
void append_copy(Context& target, const Context& source, const Span& span);

/// A copy in which nothing is trained, of the first `tokens` tokens, which end with a span.
Context copy_as_given(const Context& source, std::size_t tokens);

/// The same for the history of a fork, in which what was sampled is inherited.
Context copy_as_history(const Context& source, std::size_t tokens);

/// The Answerer goes on from [prompt, summary].
struct ReplaceBySummary {
  static constexpr SummaryUse summary_use = SummaryUse::required;
  Context rewrite(const Context& old, std::span<const Token> summary) const;
};

/// The Answerer goes on from [prompt, summary, last turns verbatim].
struct KeepLastTurns {
  static constexpr SummaryUse summary_use = SummaryUse::required;
  std::size_t turns = 2;
  Context rewrite(const Context& old, std::span<const Token> summary) const;
};

/// Baseline without a Summarizer: whole oldest turns are dropped until at most `max_tokens` are
/// left. The prompt always stays; so does the last turn, even if it alone is too long.
struct SlidingWindow {
  static constexpr SummaryUse summary_use = SummaryUse::none;
  std::size_t max_tokens = 2048;  ///< below the context window's
  void validate(std::size_t max_context_tokens) const {
    require_below_window(max_tokens, max_context_tokens, "SlidingWindow");
  }
  Context rewrite(const Context& old, std::span<const Token>) const;
};

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/summary/rewriter.inl"
#endif
