#pragma once

#include <cmath>

#include "dualagent/kernels/dual.inl"
#include "dualagent/kernels/host_device.inl"

namespace dualagent::kernels {

/// What the loss of one token may depend on. Log-probabilities in nats.
template <class S>
struct TokenTerms {
  S log_prob{};            ///< of the token now
  S entropy{};             ///< of the distribution that the token is drawn from now
  S old_log_prob{};        ///< at sampling; constant
  S reference_log_prob{};  ///< of the frozen reference policy; constant, 0 where there is none
  S advantage{};           ///< constant
};

/// Value of one token's loss and its partial derivatives.
template <class T>
struct TokenGradient {
  T value{};
  T d_log_prob{};
  T d_entropy{};
};

/// Evaluates a token loss and differentiates it with respect to log-probability and entropy.
///
/// `loss` is called once with dual numbers: `template <class S> S operator()(const
/// TokenTerms<S>&)`.
template <class Loss, class T>
DUALAGENT_HD constexpr TokenGradient<T> differentiate(const Loss& loss, const TokenTerms<T>& at) {
  using D = Dual<T, 2>;
  const D result =
      loss(TokenTerms<D>{variable<T, 2>(at.log_prob, 0), variable<T, 2>(at.entropy, 1),
                         D(at.old_log_prob), D(at.reference_log_prob), D(at.advantage)});
  return {result.value, result.d[0], result.d[1]};
}

/// Clipped policy-gradient loss of one token: -min(r A, clip(r, 1 - low, 1 + high) A), r = pi /
/// pi_old.
///
/// Shapes: scalars. Units: nats; the result is minimised. log r is bounded to +-20 so that r stays
/// finite. Kinks: at r = 1 + high (A > 0) and r = 1 - low (A < 0) the derivative is that of the
/// unclipped side.
/// Source: Schulman et al., "Proximal policy optimization", 2017, eq. 7; asymmetric bounds: Yu et
/// al., "DAPO", 2025, eq. 8.
/// Example: with log_prob = old_log_prob the value is -A and the derivative is -A.
template <class S>
DUALAGENT_HD constexpr S clipped_policy_loss(const TokenTerms<S>& t, const S& low, const S& high) {
  const S bound(20);
  const S ratio = exp(clamp(t.log_prob - t.old_log_prob, -bound, bound));
  const S unclipped = -(ratio * t.advantage);
  const S clipped = -(clamp(ratio, S(1) - low, S(1) + high) * t.advantage);
  return max(unclipped, clipped);
}

}  // namespace dualagent::kernels
