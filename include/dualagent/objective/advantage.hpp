#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dualagent/core/check.hpp"
#include "dualagent/core/compiled.hpp"
#include "dualagent/cpu/loops.inl"
#include "dualagent/kernels/advantage.inl"
#include "dualagent/kernels/token_loss.inl"
#include "dualagent/loops/group_advantage.inl"

namespace dualagent {

/// What one entry of an estimator's statistics stands for.
enum class StatisticsUnit : std::uint8_t { rollout, segment };

/// The trained tokens of one rollout, over all its segments, in the order in which they were
/// sampled.
struct RolloutTokens {
  /// [T] the rollout's, from `estimate`: one number, except where summary forks give the tokens
  /// from a summary on another one.
  std::span<const double> advantage;
  std::span<const double> value;                ///< [T] of the critic, at the step's beginning
  std::span<const double> reference_log_ratio;  ///< [T] log pi_old - log pi_reference
  std::span<const std::size_t> segment_begin;   ///< [S + 1] first token of each segment
  std::size_t size() const { return segment_begin.back(); }
};

/// What an estimator writes for each token of a rollout, [T] each.
struct TokenCredits {
  std::span<double> advantage;
  std::span<double> value_target;  ///< what the critic should have said
};

/// Turns the rewards of rollouts into advantages.
///
/// Syntactic requirement on a constant a: `a.estimate(rewards, group_begin, advantages)`: R rewards
/// of G groups, group g is [group_begin[g], group_begin[g + 1]), writes R advantages.
/// Semantic requirements: one entry per logical rollout, never per segment; permuting a group
/// permutes its advantages; groups do not influence each other.
/// Optional: `credit_tokens(const RolloutTokens&, const TokenCredits&) const` gives each token of a
/// rollout an advantage of its own; without it all get the rollout's.
/// Optional, all `static constexpr`:
/// - `bool compares_group = false`: groups of one make sense.
/// - `bool whitens = true`: the trainer brings the advantages of all trained tokens, over all
///   ranks, to mean 0 and variance 1 before it uses them.
/// - `bool uses_values = true`: needs a critic, that is ValueLoss and models with a value head.
/// - `bool uses_reference = true`: needs the frozen reference policy.
/// - `StatisticsUnit statistics = StatisticsUnit::segment`: one entry per trained segment; refused
///   with views that train several segments of a rollout.
template <class A>
concept AdvantageEstimator = requires(const A& estimator, std::span<const double> rewards,
                                      std::span<const std::size_t> group_begin,
                                      std::span<double> advantages) {
  estimator.estimate(rewards, group_begin, advantages);
};

/// One readable sentence if A is not an AdvantageEstimator.
template <class A>
consteval bool check_advantage_estimator() {
  static_assert(AdvantageEstimator<A>,
                "dualagent: an AdvantageEstimator needs 'void estimate(std::span<const double> "
                "rewards, std::span<const std::size_t> group_begin, std::span<double> advantages) "
                "const'; see docs/objectives.md#advantages");
  return true;
}

template <class A>
consteval bool compares_group() {
  if constexpr (requires { A::compares_group; })
    return A::compares_group;
  else
    return true;
}
template <class A>
concept CreditsTokens = requires(const A& estimator, const RolloutTokens& tokens,
                                 const TokenCredits& credits) {
  estimator.credit_tokens(tokens, credits);
};
/// Whether an estimator reads the critic's values.
template <class A>
consteval bool uses_values() {
  if constexpr (requires { A::uses_values; })
    return A::uses_values;
  else
    return false;
}
/// Whether an estimator reads the log-probabilities of the reference policy.
template <class A>
consteval bool uses_reference() {
  if constexpr (requires { A::uses_reference; })
    return A::uses_reference;
  else
    return false;
}
template <class A>
consteval bool whitens() {
  if constexpr (requires { A::whitens; })
    return A::whitens;
  else
    return false;
}

/// What one entry of an estimator's statistics stands for; rollouts, where it does not say.
template <class A>
consteval StatisticsUnit statistics_unit() {
  if constexpr (requires { A::statistics; })
    return A::statistics;
  else
    return StatisticsUnit::rollout;
}

/// Advantages from an estimator's `advantage(reward, moments of the group)`.
template <class Estimator>
void estimate_in_groups(const Estimator& estimator, std::span<const double> rewards,
                        std::span<const std::size_t> group_begin, std::span<double> advantages) {
  if (group_begin.empty()) return;
  cpu::Loops machine;
  std::vector<kernels::MomentsState<double>> moments;
  loops::group_advantage(machine, estimator, rewards.size(), rewards.data(), group_begin.size() - 1,
                         group_begin.data(), moments, advantages.data());
}

/// (R - mean) / (std + epsilon) within the group, unbiased standard deviation (GRPO).
///
/// A group of one and a group of equal rewards get exactly 0; an empty group is ignored.
/// Example: rewards 1, 0, 0, 1 have mean 1/2 and std 1/sqrt(3): advantages about +-0.866.
struct GroupNormalized {
  double epsilon = 1e-6;
  void validate() const { require_option(epsilon, kNotNegative, "epsilon", "GroupNormalized"); }
  template <class T>
  constexpr T advantage(T reward, const kernels::MomentsState<T>& group) const {
    return kernels::group_normalized(reward, group, static_cast<T>(epsilon));
  }
  void estimate(std::span<const double> rewards, std::span<const std::size_t> group_begin,
                std::span<double> advantages) const {
    estimate_in_groups(*this, rewards, group_begin, advantages);
  }
};

/// R - mean within the group, not divided by the standard deviation (Dr. GRPO, MemAgent).
/// Groups of one and of equal rewards get exactly 0.
struct GroupCentered {
  template <class T>
  constexpr T advantage(T reward, const kernels::MomentsState<T>& group) const {
    return kernels::group_centered(reward, group);
  }
  void estimate(std::span<const double> rewards, std::span<const std::size_t> group_begin,
                std::span<double> advantages) const {
    estimate_in_groups(*this, rewards, group_begin, advantages);
  }
};

/// R - mean of the other rewards of the group; 0 in a group of one.
/// Source: Ahmadian et al., "Back to basics" (RLOO), 2024, section 2.2.
struct LeaveOneOut {
  template <class T>
  constexpr T advantage(T reward, const kernels::MomentsState<T>& group) const {
    return kernels::leave_one_out(reward, group);
  }
  void estimate(std::span<const double> rewards, std::span<const std::size_t> group_begin,
                std::span<double> advantages) const {
    estimate_in_groups(*this, rewards, group_begin, advantages);
  }
};

/// The reward itself, compared with nothing.
struct RawReward {
  static constexpr bool compares_group = false;
  void estimate(std::span<const double> rewards, std::span<const std::size_t>,
                std::span<double> advantages) const {
    cpu::Loops::for_each(rewards.size(), [&](std::size_t i) { advantages[i] = rewards[i]; });
  }
};

/// Generalised advantage estimation over the whole rollout: its segments follow one another, the
/// reward comes after the last trained token. Value targets are A + V.
///
/// Tokens that are not trained (prompts, observations) carry value and advantage through.
/// Source: Schulman et al., "High-dimensional continuous control using generalized advantage
/// estimation", 2016, eq. 16.
struct Gae {
  static constexpr bool compares_group = false;
  static constexpr bool uses_values = true;
  double gamma = 1.0;
  double lambda = 1.0;

  void validate() const {
    require_option(gamma, kFraction, "gamma", "Gae");
    require_option(lambda, kFraction, "lambda", "Gae");
  }
  void estimate(std::span<const double> rewards, std::span<const std::size_t> group_begin,
                std::span<double> advantages) const {
    RawReward{}.estimate(rewards, group_begin, advantages);
  }
  void credit_tokens(const RolloutTokens& tokens, const TokenCredits& credits) const {
    credit_run(tokens, 0, tokens.size(), gamma, lambda, credits);
  }

  /// Credits the tokens [begin, end) as an episode of their own that earns the rollout's reward.
  static void credit_run(const RolloutTokens& tokens, std::size_t begin, std::size_t end,
                         double gamma, double lambda, const TokenCredits& credits);
};

/// The same with every segment an episode of its own that earns the rollout's reward at its end.
struct SegmentGae {
  static constexpr bool compares_group = false;
  static constexpr bool uses_values = true;
  double gamma = 1.0;
  double lambda = 1.0;

  void validate() const;
  void estimate(std::span<const double> rewards, std::span<const std::size_t> group_begin,
                std::span<double> advantages) const {
    RawReward{}.estimate(rewards, group_begin, advantages);
  }
  void credit_tokens(const RolloutTokens& tokens, const TokenCredits& credits) const;
};

/// Advantages that reach across segments: those of SegmentGae with lambda_s, times
/// (gamma lambda_s)^n for n trained tokens in later segments; lambda_s = 1 - 1 / (length_scale L_s)
/// for a segment of L_s trained tokens, at least 0. Value targets are those of SegmentGae.
///
/// Source: "CompactionRL" (public notes of the method; no code was published to compare with).
struct CrossSegmentGae {
  static constexpr bool compares_group = false;
  static constexpr bool uses_values = true;
  double gamma = 1.0;
  double length_scale = 1.5;

  void validate() const;
  void estimate(std::span<const double> rewards, std::span<const std::size_t> group_begin,
                std::span<double> advantages) const {
    RawReward{}.estimate(rewards, group_begin, advantages);
  }
  void credit_tokens(const RolloutTokens& tokens, const TokenCredits& credits) const;
};

/// Another estimator's advantage minus coefficient times the k1 divergence from the reference
/// policy of this and all later trained tokens: the penalty is part of the reward, not of the loss.
/// Source: Hu et al., "REINFORCE++", 2025 (2501.03262), eq. 8.
template <class Estimator>
struct KlInReward {
  static_assert(check_advantage_estimator<Estimator>());
  static_assert(!CreditsTokens<Estimator> && !whitens<Estimator>(),
                "dualagent: KlInReward takes an estimator with one advantage per rollout; write "
                "Whitened<KlInReward<E>> instead of KlInReward<Whitened<E>>, and KlPenalty beside "
                "a critic");
  static constexpr StatisticsUnit statistics = statistics_unit<Estimator>();
  static constexpr bool compares_group = dualagent::compares_group<Estimator>();
  static constexpr bool uses_reference = true;
  double coefficient = 0.01;
  Estimator estimator = {};
  void validate() const {
    require_option(coefficient, kNotNegative, "coefficient", "KlInReward");
    validate_all(estimator);
  }
  void estimate(std::span<const double> rewards, std::span<const std::size_t> group_begin,
                std::span<double> advantages) const {
    estimator.estimate(rewards, group_begin, advantages);
  }
  void credit_tokens(const RolloutTokens& tokens, const TokenCredits& credits) const {
    double penalty = 0;
    for (std::size_t t = tokens.size(); t-- > 0;) {
      penalty += coefficient * std::clamp(tokens.reference_log_ratio[t], -kernels::kLogRatioBound,
                                          kernels::kLogRatioBound);
      credits.advantage[t] = tokens.advantage[t] - penalty;
    }
  }
};

/// Another estimator's advantages, whitened over all trained tokens of all ranks: mean 0, unbiased
/// variance 1 (1e-8 is added to it).
///
/// `Whitened<RawReward>` is REINFORCE++ without its penalty, `Whitened<GroupCentered>` its form
/// with a baseline, `Whitened<Gae>` what PPO uses. Source: Hu et al., "REINFORCE++", 2025
/// (2501.03262), eq. 9 and 12.
template <class Estimator>
struct Whitened {
  static_assert(check_advantage_estimator<Estimator>());
  static constexpr bool whitens = true;
  static constexpr StatisticsUnit statistics = statistics_unit<Estimator>();
  static constexpr bool compares_group = dualagent::compares_group<Estimator>();
  static constexpr bool uses_values = dualagent::uses_values<Estimator>();
  static constexpr bool uses_reference = dualagent::uses_reference<Estimator>();
  Estimator estimator = {};
  void validate() const { validate_all(estimator); }
  void estimate(std::span<const double> rewards, std::span<const std::size_t> group_begin,
                std::span<double> advantages) const {
    estimator.estimate(rewards, group_begin, advantages);
  }
  void credit_tokens(const RolloutTokens& tokens,
                     const TokenCredits& credits) const requires CreditsTokens<Estimator> {
    estimator.credit_tokens(tokens, credits);
  }
};

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/objective/advantage.inl"
#endif
