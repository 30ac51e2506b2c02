#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <type_traits>

#include "dualagent/core/check.hpp"
#include "dualagent/kernels/token_loss.inl"

namespace dualagent {

/// What the weight of a token may depend on. Log-ratios in nats, bounded to +-20; "segment" means
/// the trained tokens of one segment.
struct CorrectionTerms {
  double log_ratio = 0;           ///< log pi_old - log pi_sampler of the token
  double segment_log_ratio = 0;   ///< mean of log_ratio over the segment
  double smallest_log_ratio = 0;  ///< of the segment
  double segment_tokens = 1;
  double policy_log_ratio = 0;  ///< mean of log pi - log pi_old over the segment, now
  double advantage = 0;
  /// Weight versions between the weights that the token was drawn from and pi_old's; 0 if fresh.
  double staleness = 0;
};

/// Weighs the policy loss of tokens that another policy sampled than the one that is trained.
///
/// pi_old, the policy at the beginning of a step, is the numerator: its log-probabilities are
/// computed anew, pi_sampler's are those that the sampled span carries. In this process both
/// have the same bits and every weight is 1; a remote engine or stale data makes them differ.
/// Syntactic requirement on a constant c: `c.weight(terms)` returns double.
/// Semantic requirements: pure, finite, >= 0. A constant of the loss: nothing is differentiated
/// through it. The number of tokens in a mean is not changed by weights of 0.
/// Optional: `static constexpr bool is_correction = true` allows products with `*`;
/// `static constexpr bool needs_sampler_log_probs = false` spares the forward pass that
/// computes pi_old anew; `needs_policy_log_ratio = true` asks for `policy_log_ratio`.
template <class C>
concept ImportanceCorrection = requires(const C& correction, const CorrectionTerms& terms) {
  { correction.weight(terms) } -> std::convertible_to<double>;
};

template <class C>
consteval bool needs_sampler_log_probs() {
  if constexpr (requires { C::needs_sampler_log_probs; })
    return C::needs_sampler_log_probs;
  else
    return true;
}
template <class C>
consteval bool needs_policy_log_ratio() {
  if constexpr (requires { C::needs_policy_log_ratio; })
    return C::needs_policy_log_ratio;
  else
    return false;
}

/// Whether a correction's weights are divided by their mean over the minibatch.
template <class C>
consteval bool normalizes_batch() {
  if constexpr (requires { C::normalizes_batch; })
    return C::normalizes_batch;
  else
    return false;
}

/// A correction that may be multiplied with others.
template <class C>
concept CombinableCorrection = ImportanceCorrection<C> && C::is_correction;

/// One readable sentence if C is not an ImportanceCorrection.
template <class C>
consteval bool check_importance_correction() {
  static_assert(ImportanceCorrection<C>,
                "dualagent: an ImportanceCorrection needs 'double weight(const CorrectionTerms&) "
                "const'; see docs/objectives.md#importance-corrections");
  return true;
}
/// One readable sentence if C cannot be multiplied with others.
template <class C>
consteval bool check_combinable_correction() {
  static_assert(CombinableCorrection<C>,
                "dualagent: an ImportanceCorrection that is multiplied with * needs 'static "
                "constexpr bool is_correction = true' and 'double weight(const CorrectionTerms&) "
                "const'; see docs/objectives.md#importance-corrections");
  return true;
}

/// Bypass: the sampler's log-probabilities are taken for those of pi_old, every weight is 1.
struct NoCorrection {
  static constexpr bool needs_sampler_log_probs = false;
  double weight(const CorrectionTerms&) const { return 1.0; }
};

/// clamp(rho, low, high) of each token (truncated importance sampling).
/// Source: Yao et al., "Your efficient RL framework secretly brings you off-policy RL training",
/// 2025.
struct TruncatedIs {
  static constexpr bool is_correction = true;
  double low = 0.0;
  double high = 2.0;
  void validate() const {
    require_option(high, kPositiveOrInfinite, "high", "TruncatedIs");
    require_option(low, {0.0, high}, "low", "TruncatedIs");
  }
  double weight(const CorrectionTerms& t) const {
    return std::clamp(std::exp(t.log_ratio), low, high);
  }
};

namespace detail {
/// Bounds outside of which a ratio is rejected: the ratio of our own fresh samples is 1.
inline void require_around_one(double low, double high, const char* owner) {
  require_option(low, kFraction, "low", owner);
  require_option(high, {1.0, kPositiveOrInfinite.high}, "high", owner);
}
}  // namespace detail

/// rho of each token within [low, high], else 0.
/// Source: Ling team, "Every step evolves" (IcePop), 2025 (2510.18855), section 3.
struct IcePop {
  static constexpr bool is_correction = true;
  double low = 0.5;
  double high = 5.0;
  void validate() const { detail::require_around_one(low, high, "IcePop"); }
  double weight(const CorrectionTerms& t) const {
    const double ratio = std::exp(t.log_ratio);
    return ratio < low || ratio > high ? 0.0 : ratio;
  }
};

/// min(product of rho over the segment, high), the same for all its tokens.
struct SequenceIs {
  static constexpr bool is_correction = true;
  double high = 2.0;
  void validate() const { require_option(high, kPositiveOrInfinite, "high", "SequenceIs"); }
  double weight(const CorrectionTerms& t) const {
    const double log_ratio = t.segment_log_ratio * t.segment_tokens;
    return std::min(std::exp(std::min(log_ratio, kernels::kLogRatioBound)), high);
  }
};

/// 1 where the geometric mean of rho over the segment is within [low, high], else 0.
struct GeometricRejection {
  static constexpr bool is_correction = true;
  double low = 0.99;
  double high = 1.01;
  void validate() const { detail::require_around_one(low, high, "GeometricRejection"); }
  double weight(const CorrectionTerms& t) const {
    const double mean = std::exp(t.segment_log_ratio);
    return mean < low || mean > high ? 0.0 : 1.0;
  }
};

/// 0 for a segment with any rho below `low`, else 1.
struct TokenVeto {
  static constexpr bool is_correction = true;
  double low = 1e-4;
  void validate() const { require_option(low, kFraction, "low", "TokenVeto"); }
  double weight(const CorrectionTerms& t) const {
    return std::exp(t.smallest_log_ratio) < low ? 0.0 : 1.0;
  }
};

/// 0 for a segment of negative advantage that the policy has already moved away from: mean of
/// log pi_old - log pi above `max_divergence`. Needs no sampler's log-probabilities.
/// Source: DeepSeek-AI, "DeepSeek-V3.2", 2025 (2512.02556), off-policy sequence masking.
struct OffPolicyMask {
  static constexpr bool is_correction = true;
  static constexpr bool needs_sampler_log_probs = false;
  static constexpr bool needs_policy_log_ratio = true;
  double max_divergence = 1e-4;
  void validate() const {
    require_option(max_divergence, kNotNegative, "max_divergence", "OffPolicyMask");
  }
  double weight(const CorrectionTerms& t) const {
    return t.advantage < 0 && -t.policy_log_ratio > max_divergence ? 0.0 : 1.0;
  }
};

/// The product of two weights: `TruncatedIs{} * GeometricRejection{}`.
template <class A, class B>
struct CorrectionProduct {
  static_assert(check_combinable_correction<A>() && check_combinable_correction<B>());
  static constexpr bool is_correction = true;
  static constexpr bool needs_sampler_log_probs =
      dualagent::needs_sampler_log_probs<A>() || dualagent::needs_sampler_log_probs<B>();
  static constexpr bool needs_policy_log_ratio =
      dualagent::needs_policy_log_ratio<A>() || dualagent::needs_policy_log_ratio<B>();
  A first = {};
  B second = {};
  void validate() const { validate_all(first, second); }
  double weight(const CorrectionTerms& t) const { return first.weight(t) * second.weight(t); }
};
namespace detail {
/// One is a correction, so the other is meant to be one.
template <class A, class B>
concept CombinesCorrections = std::is_class_v<A> && std::is_class_v<B> &&
    (CombinableCorrection<A> || CombinableCorrection<B>);
}  // namespace detail
template <class A, class B>
requires detail::CombinesCorrections<A, B>
constexpr CorrectionProduct<A, B> operator*(const A& a, const B& b) { return {a, b}; }

/// Another correction whose weights are divided by their mean over all trained tokens of the
/// minibatch, of all ranks, so that it changes the tokens' shares but not the step's size. A
/// minibatch whose weights are all 0 stays 0.
/// Source: slime, `examples/train_infer_mismatch_helper/mis.py`, batch normalisation.
template <class Correction>
struct BatchNormalized {
  static_assert(check_importance_correction<Correction>());
  static constexpr bool normalizes_batch = true;
  static constexpr bool needs_sampler_log_probs = dualagent::needs_sampler_log_probs<Correction>();
  static constexpr bool needs_policy_log_ratio = dualagent::needs_policy_log_ratio<Correction>();
  Correction correction = {};
  void validate() const { validate_all(correction); }
  double weight(const CorrectionTerms& t) const { return correction.weight(t); }
};

/// Masked importance sampling: truncated token weights, segments far off rejected.
using MaskedIs = CorrectionProduct<TruncatedIs, GeometricRejection>;

}  // namespace dualagent
