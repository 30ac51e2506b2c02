#pragma once

#include <concepts>
#include <cstddef>

namespace dualagent {

/// What a trigger sees of the Answerer's current context, after each observation.
struct ContextStatus {
  std::size_t tokens = 0;      ///< in the context now
  std::size_t max_tokens = 0;  ///< of the context window
  std::size_t turns = 0;       ///< of the Answerer in this context, kept copies included
  std::size_t summaries = 0;   ///< so far in this rollout
};

/// Decides when the context has become overlong.
///
/// Syntactic requirement on a constant t: `t.should_summarize(status)` returns bool.
/// Semantic requirements: pure, and the same for all rollouts of a group: it may depend on nothing
/// but the status.
/// Example:
///   struct EveryThird {
///     bool should_summarize(const dualagent::ContextStatus& s) const { return s.turns % 3 == 0; }
///   };
template <class T>
concept SummaryTrigger = requires(const T& trigger, const ContextStatus& status) {
  { trigger.should_summarize(status) } -> std::same_as<bool>;
};

/// One readable sentence if T is no SummaryTrigger.
template <class T>
consteval bool check_summary_trigger() {
  static_assert(SummaryTrigger<T>,
                "dualagent: a SummaryTrigger needs 'bool should_summarize(const ContextStatus&) "
                "const'; see docs/policies.md#triggers");
  return true;
}

/// No context is ever overlong.
struct Never {
  bool should_summarize(const ContextStatus&) const { return false; }
};

/// More than `max_tokens` tokens in the context.
struct TokenBudget {
  std::size_t max_tokens = 2048;
  bool should_summarize(const ContextStatus& status) const { return status.tokens > max_tokens; }
};

/// More than `fraction` of the context window is used (SUPO, arXiv 2510.06727, uses 0.95).
struct WindowFraction {
  double fraction = 0.95;
  bool should_summarize(const ContextStatus& status) const {
    return static_cast<double>(status.tokens) > fraction * static_cast<double>(status.max_tokens);
  }
};

/// At least `turns` turns of the Answerer in the context.
struct TurnCount {
  std::size_t turns = 4;
  bool should_summarize(const ContextStatus& status) const { return status.turns >= turns; }
};

template <SummaryTrigger A, SummaryTrigger B>
struct EitherTrigger {
  A first;
  B second;
  bool should_summarize(const ContextStatus& status) const {
    return first.should_summarize(status) || second.should_summarize(status);
  }
};

template <SummaryTrigger A, SummaryTrigger B>
struct BothTriggers {
  A first;
  B second;
  bool should_summarize(const ContextStatus& status) const {
    return first.should_summarize(status) && second.should_summarize(status);
  }
};

template <SummaryTrigger A>
struct NotTrigger {
  A trigger;
  bool should_summarize(const ContextStatus& status) const {
    return !trigger.should_summarize(status);
  }
};

/// Triggers combine: `TokenBudget{.max_tokens = 80} || TurnCount{.turns = 6}`.
template <SummaryTrigger A, SummaryTrigger B>
constexpr EitherTrigger<A, B> operator||(A a, B b) {
  return {a, b};
}
template <SummaryTrigger A, SummaryTrigger B>
constexpr BothTriggers<A, B> operator&&(A a, B b) {
  return {a, b};
}
template <SummaryTrigger A>
constexpr NotTrigger<A> operator!(A a) {
  return {a};
}

}  // namespace dualagent
