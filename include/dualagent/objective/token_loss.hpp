#pragma once

#include <concepts>

#include "dualagent/core/check.hpp"
#include "dualagent/core/compiled.hpp"
#include "dualagent/kernels/token_loss.inl"

namespace dualagent {

using kernels::differentiate;
using kernels::TokenTerms;

/// The scalar that a token loss is called with: a number with its derivatives.
using LossScalar = kernels::Dual<double, 3>;

/// The loss of one trained token, written once as a function of its terms.
///
/// Syntactic requirement on a constant l: a call operator template
/// `template <class S> S operator()(const TokenTerms<S>& t) const`, `constexpr` where it is to be
/// inlined into CUDA kernels too; it may use + - * /, exp, log,
/// sqrt, abs, min, max, clamp, stop_gradient and comparisons.
/// Semantic requirements: pure; minimised. Derivatives come from dual numbers. A plain value
/// (trivially copyable), since it is copied to wherever the learner computes.
/// Optional: `static constexpr bool uses_sequence_ratio = true` asks for `t.sequence_log_ratio`,
/// which costs one more forward pass; the aggregation must then not be a token mean.
/// `static constexpr bool vanishes_without_advantage = true` says that the loss has no gradient
/// where the advantage is 0: rollouts of advantage 0 then cost no pass through the model.
/// `bool clips(const TokenTerms<double>& t) const` says whether the importance ratio is out of
/// bounds and the loss is the clipped one: StepMetrics::clip_fraction counts these tokens.
///
/// Example:
///   struct PolicyGradient {
///     static constexpr bool vanishes_without_advantage = true;
///     template <class S> S operator()(const dualagent::TokenTerms<S>& t) const {
///       return -(t.log_prob * t.advantage);
///     }
///   };
template <class L>
concept TokenLoss = requires(const L& loss, const TokenTerms<LossScalar>& terms) {
  { loss(terms) } -> std::same_as<LossScalar>;
};

/// Whether a loss depends on the importance ratio of its whole segment.
template <class L>
consteval bool uses_sequence_ratio() {
  if constexpr (requires { L::uses_sequence_ratio; })
    return L::uses_sequence_ratio;
  else
    return false;
}

/// Whether a loss says that it has no gradient where the advantage is 0.
template <class L>
consteval bool vanishes_without_advantage() {
  if constexpr (requires { L::vanishes_without_advantage; })
    return L::vanishes_without_advantage;
  else
    return false;
}

namespace detail {
constexpr Bounds above(double low) { return {low, kPositiveOrInfinite.high, false, true}; }
void require_clip(double low, double high, const char* owner);
}  // namespace detail

/// -min(r A, clip(r, 1 - clip_low, 1 + clip_high) A), r = pi / pi_old; see kernels::clip_loss.
struct ClipLoss {
  static constexpr bool vanishes_without_advantage = true;
  double clip_low = 0.2;
  double clip_high = 0.28;
  void validate() const { detail::require_clip(clip_low, clip_high, "ClipLoss"); }
  template <class S>
  constexpr S operator()(const TokenTerms<S>& t) const {
    return kernels::clip_loss(importance_ratio(t), t.advantage, S(clip_low), S(clip_high));
  }
  bool clips(const TokenTerms<double>& t) const {
    return kernels::is_clipped(kernels::ratio_of(t.log_prob - t.old_log_prob), t.advantage,
                               clip_low, clip_high);
  }
};

/// The clip loss, at most -bound A where A < 0; see kernels::dual_clip.
struct DualClipLoss {
  static constexpr bool vanishes_without_advantage = true;
  double clip_low = 0.2;
  double clip_high = 0.2;
  double bound = 3.0;  ///< > 1
  void validate() const;
  template <class S>
  constexpr S operator()(const TokenTerms<S>& t) const {
    const S loss = kernels::clip_loss(importance_ratio(t), t.advantage, S(clip_low), S(clip_high));
    return kernels::dual_clip(loss, t.advantage, S(bound));
  }
  bool clips(const TokenTerms<double>& t) const;
};

/// The clip loss of a ratio that is at most `cap`; see kernels::two_sided_clip_loss.
struct TwoSidedClipLoss {
  static constexpr bool vanishes_without_advantage = true;
  double clip_low = 0.2;
  double clip_high = 0.2;
  double cap = 4.0;  ///< > 1 + clip_high
  void validate() const;
  template <class S>
  constexpr S operator()(const TokenTerms<S>& t) const {
    return kernels::two_sided_clip_loss(importance_ratio(t), t.advantage, S(clip_low), S(clip_high),
                                        S(cap));
  }
  bool clips(const TokenTerms<double>& t) const;
};

/// -stop_gradient(clamp(r, lower, upper)) A log pi; see kernels::cispo_loss.
///
/// The bounds differ between publications; `minimax`, `slime` and `trl` name them.
struct CispoLoss {
  static constexpr bool vanishes_without_advantage = true;
  double lower = 0.0;
  double upper = 1.28;
  void validate() const;
  template <class S>
  constexpr S operator()(const TokenTerms<S>& t) const {
    return kernels::cispo_loss(t, S(lower), S(upper));
  }
  /// A clipped token keeps a gradient: that of the bound.
  bool clips(const TokenTerms<double>& t) const;

  /// No lower bound, 1 + epsilon_high above (MiniMax-M1, 2506.13585, section 3.1).
  static constexpr CispoLoss minimax(double epsilon_high = 0.28) {
    return {0.0, 1.0 + epsilon_high};
  }
  /// Both sides about 1 (slime, verl).
  static constexpr CispoLoss slime(double epsilon_low = 0.2, double epsilon_high = 0.28) {
    return {1.0 - epsilon_low, 1.0 + epsilon_high};
  }
  /// epsilon_high is itself the upper bound (TRL; ScaleRL, 2510.13786, advises 5).
  static constexpr CispoLoss trl(double epsilon_high = 5.0) { return {0.0, epsilon_high}; }
};

/// The clip loss of the segment's ratio s = exp(mean log r); see kernels::sequence_ratio.
///
/// With one advantage per segment this is both the sequence form (eq. 5) and the token form
/// (eq. 13) of Zheng et al., "Group sequence policy optimization", 2025; with advantages that
/// differ between tokens it is the token form.
struct GspoLoss {
  static constexpr bool vanishes_without_advantage = true;
  static constexpr bool uses_sequence_ratio = true;
  double clip_low = 3e-4;
  double clip_high = 4e-4;
  void validate() const { detail::require_clip(clip_low, clip_high, "GspoLoss"); }
  template <class S>
  constexpr S operator()(const TokenTerms<S>& t) const {
    return kernels::clip_loss(sequence_ratio(t), t.advantage, S(clip_low), S(clip_high));
  }
  bool clips(const TokenTerms<double>& t) const {
    return kernels::is_clipped(kernels::ratio_of(t.sequence_log_ratio), t.advantage, clip_low,
                               clip_high);
  }
};

/// -A log pi: the gradient of the policy that sampled (REINFORCE); no ratio, so take one update
/// per batch.
struct PolicyGradient {
  static constexpr bool vanishes_without_advantage = true;
  template <class S>
  constexpr S operator()(const TokenTerms<S>& t) const {
    return -(t.log_prob * t.advantage);
  }
};

/// -log pi: what the supervised warm start minimises.
struct CrossEntropy {
  template <class S>
  constexpr S operator()(const TokenTerms<S>& t) const {
    return -t.log_prob;
  }
};

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/objective/token_loss.inl"
#endif
