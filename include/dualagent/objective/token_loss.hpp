#pragma once

#include <concepts>

#include "dualagent/kernels/token_loss.inl"

namespace dualagent {

using kernels::differentiate;
using kernels::TokenTerms;

/// The scalar that a token loss is called with: a number with its derivatives.
using LossScalar = kernels::Dual<double, 2>;

/// The loss of one trained token, written once as a function of its terms.
///
/// Syntactic requirement on a constant l: a call operator template
/// `template <class S> S operator()(const TokenTerms<S>& t) const`; it may use + - * /, exp, log,
/// sqrt, abs, min, max, clamp, stop_gradient and comparisons.
/// Semantic requirements: pure; minimised. Derivatives come from dual numbers.
/// Example:
///   struct PolicyGradient {
///     template <class S> S operator()(const dualagent::TokenTerms<S>& t) const {
///       return -(t.log_prob * t.advantage);
///     }
///   };
template <class L>
concept TokenLoss = requires(const L& loss, const TokenTerms<LossScalar>& terms) {
  { loss(terms) } -> std::same_as<LossScalar>;
};

/// -min(r A, clip(r, 1 - clip_low, 1 + clip_high) A); see kernels/token_loss.inl.
struct ClipLoss {
  double clip_low = 0.2;
  double clip_high = 0.28;
  template <class S>
  S operator()(const TokenTerms<S>& terms) const {
    return kernels::clipped_policy_loss(terms, S(clip_low), S(clip_high));
  }
};

}  // namespace dualagent
