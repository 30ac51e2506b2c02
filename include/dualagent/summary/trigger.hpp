#pragma once

#include <concepts>
#include <cstddef>
#include <type_traits>

#include "dualagent/core/check.hpp"

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
/// Optional: `void validate(std::size_t max_context_tokens) const` refuses, by throwing Error,
/// values that cannot be meant in a context window of that size. Semantic requirements: pure, and
/// the same for all rollouts of a group: it may depend on nothing but the status. Example:
///   struct EveryThird {
///     bool should_summarize(const dualagent::ContextStatus& s) const { return s.turns % 3 == 0; }
///   };
template <class T>
concept SummaryTrigger = requires(const T& trigger, const ContextStatus& status) {
  { trigger.should_summarize(status) } -> std::same_as<bool>;
};

/// One readable sentence if T is not a SummaryTrigger.
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
  std::size_t max_tokens = 2048;  ///< below the context window's
  void validate(std::size_t max_context_tokens) const {
    require_below_window(max_tokens, max_context_tokens, "TokenBudget");
  }
  bool should_summarize(const ContextStatus& status) const { return status.tokens > max_tokens; }
};

/// More than `fraction` of the context window is used (SUPO, arXiv 2510.06727, uses 0.95).
struct WindowFraction {
  double fraction = 0.95;  ///< above 0 and below 1
  void validate() const {
    require_option(fraction, {0.0, 1.0, false, false}, "fraction", "WindowFraction",
                   "a context is never fuller than its window; Never{} does not summarize");
  }
  bool should_summarize(const ContextStatus& status) const {
    return static_cast<double>(status.tokens) > fraction * static_cast<double>(status.max_tokens);
  }
};

/// At least `turns` turns of the Answerer in the context.
struct TurnCount {
  std::size_t turns = 4;  ///< >= 1
  void validate() const { require_option(turns, kAtLeastOne, "turns", "TurnCount"); }
  bool should_summarize(const ContextStatus& status) const { return status.turns >= turns; }
};

/// Either of two triggers; write `a || b`, or `EitherTrigger{a, b}` where both are your own (C++
/// may then say "no match for operator||").
template <class A, class B>
struct EitherTrigger {
  static_assert(check_summary_trigger<A>() && check_summary_trigger<B>());
  A first;
  B second;
  void validate() const { validate_all(first, second); }
  void validate(std::size_t max_context_tokens) const {
    validate_for_window(max_context_tokens, first, second);
  }
  bool should_summarize(const ContextStatus& status) const {
    return first.should_summarize(status) || second.should_summarize(status);
  }
};

template <class A, class B>
EitherTrigger(A, B) -> EitherTrigger<A, B>;

/// Two triggers at once; write `a && b`, or `BothTriggers{a, b}` where both are your own.
template <class A, class B>
struct BothTriggers {
  static_assert(check_summary_trigger<A>() && check_summary_trigger<B>());
  A first;
  B second;
  void validate() const { validate_all(first, second); }
  void validate(std::size_t max_context_tokens) const {
    validate_for_window(max_context_tokens, first, second);
  }
  bool should_summarize(const ContextStatus& status) const {
    return first.should_summarize(status) && second.should_summarize(status);
  }
};

template <class A, class B>
BothTriggers(A, B) -> BothTriggers<A, B>;

/// Where another trigger does not fire; write `!a`, or `NotTrigger{a}` where it is your own.
template <class A>
struct NotTrigger {
  static_assert(check_summary_trigger<A>());
  A trigger;
  void validate() const { validate_all(trigger); }
  void validate(std::size_t max_context_tokens) const {
    validate_for_window(max_context_tokens, trigger);
  }
  bool should_summarize(const ContextStatus& status) const {
    return !trigger.should_summarize(status);
  }
};

template <class A>
NotTrigger(A) -> NotTrigger<A>;

namespace detail {
/// A trigger, or a class that is meant to be one: its function has another type or another
/// spelling.
template <class T>
concept MeantAsTrigger = SummaryTrigger<T> ||
    (std::is_class_v<T> &&
     (
         requires { &T::should_summarize; } || requires { &T::should_summarise; } ||
         requires { &T::shouldSummarize; } || requires { &T::ShouldSummarize; }));
/// One is meant as a trigger, hence the other too: what they lack is then said in a sentence.
template <class A, class B>
concept CombinesTriggers = std::is_class_v<A> && std::is_class_v<B> &&
    (MeantAsTrigger<A> || MeantAsTrigger<B>);
}  // namespace detail

/// Triggers combine: `TokenBudget{.max_tokens = 80} || TurnCount{.turns = 6}`. C++ finds these
/// operators where one of the two is dualagent's, or under `using namespace dualagent`.
template <class A, class B>
requires detail::CombinesTriggers<A, B>
constexpr EitherTrigger<A, B> operator||(A a, B b) { return {a, b}; }
template <class A, class B>
requires detail::CombinesTriggers<A, B>
constexpr BothTriggers<A, B> operator&&(A a, B b) { return {a, b}; }
template <detail::MeantAsTrigger A>
constexpr NotTrigger<A> operator!(A a) {
  return {a};
}

}  // namespace dualagent
