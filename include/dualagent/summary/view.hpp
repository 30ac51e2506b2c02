#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "dualagent/core/check.hpp"
#include "dualagent/trace/rollout.hpp"
#include "dualagent/trace/training_view.hpp"

namespace dualagent {

/// Whose tokens a view can select.
enum class TrainedAgents : std::uint8_t { answerer = 1, summarizer = 2, both = 3 };

template <class V>
consteval TrainedAgents trained_agents() {
  if constexpr (requires { V::agents; })
    return V::agents;
  else
    return TrainedAgents::both;
}
template <class A, class B>
consteval bool views_are_disjoint() {
  return (static_cast<unsigned>(trained_agents<A>()) &
          static_cast<unsigned>(trained_agents<B>())) == 0;
}
template <class V>
consteval bool one_segment_per_rollout() {
  if constexpr (requires { V::one_segment_per_rollout; })
    return V::one_segment_per_rollout;
  else
    return false;
}

/// One readable sentence if V is not a TrainingView.
template <class V>
consteval bool check_training_view() {
  static_assert(TrainingView<V>,
                "dualagent: a TrainingView needs 'bool trains(const Rollout&, std::size_t segment, "
                "const Span&) const'; see docs/policies.md#training-views");
  return true;
}

/// Every sampled token: all turns and all summaries (SUPO, arXiv 2510.06727).
struct AllSegments {
  static constexpr TrainedAgents agents = TrainedAgents::both;
  bool trains(const Rollout&, std::size_t, const Span&) const { return true; }
};

/// The Answerer's turns, in all segments.
struct AnswererOnly {
  static constexpr TrainedAgents agents = TrainedAgents::answerer;
  bool trains(const Rollout&, std::size_t, const Span& span) const {
    return span.agent == AgentRole::answerer;
  }
};

/// The summaries.
struct SummarizerOnly {
  static constexpr TrainedAgents agents = TrainedAgents::summarizer;
  bool trains(const Rollout&, std::size_t, const Span& span) const {
    return span.agent == AgentRole::summarizer;
  }
};

/// The Answerer's turns in its last segment: the continuation of the last summary (the reference
/// system's view). `FinalSegment{} | SummarizerOnly{}` trains all summaries as well.
struct FinalSegment {
  static constexpr TrainedAgents agents = TrainedAgents::answerer;
  static constexpr bool one_segment_per_rollout = true;
  bool trains(const Rollout& rollout, std::size_t segment, const Span& span) const {
    if (span.agent == AgentRole::summarizer) return false;
    for (std::size_t later = segment + 1; later < rollout.segments.size(); ++later)
      if (rollout.segments[later].owner == AgentRole::answerer) return false;
    return true;
  }
};

/// What either of two views selects. They must be of different agents, so that no token can be
/// selected twice.
template <class A, class B>
struct ViewUnion {
  static_assert(check_training_view<A>() && check_training_view<B>());
  static_assert(views_are_disjoint<A, B>(),
                "dualagent: this union of views trains a summary or a turn twice; unite views of "
                "different agents, such as FinalSegment{} | SummarizerOnly{}");
  static constexpr TrainedAgents agents = TrainedAgents::both;
  A first = {};
  B second = {};
  void validate() const { validate_all(first, second); }
  bool trains(const Rollout& rollout, std::size_t segment, const Span& span) const {
    return first.trains(rollout, segment, span) || second.trains(rollout, segment, span);
  }
};
namespace detail {
/// One is a view, so the other is meant to be one.
template <class A, class B>
concept CombinesViews = std::is_class_v<A> && std::is_class_v<B> &&
    (TrainingView<A> || TrainingView<B>);
}  // namespace detail
template <class A, class B>
requires detail::CombinesViews<A, B>
constexpr ViewUnion<A, B> operator|(const A& a, const B& b) { return {a, b}; }

/// What a view selects of rollouts that were not truncated; truncated ones keep their place in the
/// group's statistics (SUPO, DAPO's overlong filtering).
template <class View>
struct FinishedOnly {
  static_assert(check_training_view<View>());
  static constexpr TrainedAgents agents = trained_agents<View>();
  static constexpr bool one_segment_per_rollout = dualagent::one_segment_per_rollout<View>();
  View view = {};
  void validate() const { validate_all(view); }
  bool trains(const Rollout& rollout, std::size_t segment, const Span& span) const {
    return rollout.status == RolloutStatus::finished && view.trains(rollout, segment, span);
  }
};

/// A view whose two agents are aggregated apart: the loss is `answerer_weight` times the mean over
/// the Answerer's tokens plus `summarizer_weight` times the mean over the summaries', so that short
/// summaries get more than their share of tokens.
/// Source: Shao et al., "FoldAct", 2025 (2512.22733), section 3.
template <class View = AllSegments>
struct PerAgentMeans {
  static_assert(check_training_view<View>());
  static constexpr TrainedAgents agents = trained_agents<View>();
  static constexpr bool one_segment_per_rollout = dualagent::one_segment_per_rollout<View>();
  double answerer_weight = 1.0;
  double summarizer_weight = 1.0;
  View view = {};
  void validate() const {
    require_option(answerer_weight, kNotNegative, "answerer_weight", "PerAgentMeans");
    require_option(summarizer_weight, kNotNegative, "summarizer_weight", "PerAgentMeans");
    if (answerer_weight == 0.0 && summarizer_weight == 0.0)
      throw Error("both agents have weight 0", "PerAgentMeans",
                  "Give one of them a weight above 0");
    validate_all(view);
  }
  bool trains(const Rollout& rollout, std::size_t segment, const Span& span) const {
    return view.trains(rollout, segment, span);
  }
  double agent_weight(AgentRole agent) const {
    return agent == AgentRole::answerer ? answerer_weight : summarizer_weight;
  }
};

/// Whether a view has the two agents' tokens aggregated apart.
template <class V>
concept AggregatesAgentsApart = requires(const V& view, AgentRole agent) {
  { view.agent_weight(agent) } -> std::convertible_to<double>;
};

}  // namespace dualagent
