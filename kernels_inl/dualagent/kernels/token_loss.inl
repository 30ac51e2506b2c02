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
  S value{};               ///< of the critic before the token, now; 0 where there is none
  S old_log_prob{};        ///< at sampling; constant
  S reference_log_prob{};  ///< of the frozen reference policy; constant, 0 where there is none
  S advantage{};           ///< constant
  S sequence_log_ratio{};  ///< mean of log_prob - old_log_prob over the segment; constant
  S old_value{};           ///< of the critic at the beginning of the step; constant
  S value_target{};        ///< what the critic should have said; constant
};

/// What a model says of one trained token.
template <class T>
struct TokenPrediction {
  T log_prob{};  ///< nats, at the batch's temperature
  T entropy{};   ///< nats, of the distribution that the token was drawn from
  T value{};     ///< of the critic before the token; 0 without a value head
};

/// Value of one token's loss and its partial derivatives.
template <class T>
struct TokenGradient {
  T value{};
  T d_log_prob{};
  T d_entropy{};
  T d_value{};
};

/// Evaluates a token loss and differentiates it with respect to log-probability, entropy and value.
///
/// `loss` is called once with dual numbers: `template <class S> S operator()(const
/// TokenTerms<S>&)`.
template <class Loss, class T>
DUALAGENT_FLATTEN DUALAGENT_HD constexpr TokenGradient<T> differentiate(const Loss& loss,
                                                                        const TokenTerms<T>& at) {
  using D = Dual<T, 3>;
  const D result = loss(TokenTerms<D>{
      variable<T, 3>(at.log_prob, 0), variable<T, 3>(at.entropy, 1), variable<T, 3>(at.value, 2),
      D(at.old_log_prob), D(at.reference_log_prob), D(at.advantage), D(at.sequence_log_ratio),
      D(at.old_value), D(at.value_target)});
  return {result.value, result.d[0], result.d[1], result.d[2]};
}

/// Log-ratios are bounded to +- this many nats, so that ratios stay finite; the derivative is 0
/// beyond.
inline constexpr double kLogRatioBound = 20.0;

template <class S>
DUALAGENT_HD constexpr S bounded_log_ratio(const S& log_ratio) {
  return clamp(log_ratio, S(-kLogRatioBound), S(kLogRatioBound));
}

/// f of the bounded log-ratio. One choice at the end zeroes the derivative beyond the bound, so
/// that f's own steps are differentiated with respect to a plain input.
template <class S, class F>
DUALAGENT_HD constexpr S of_bounded_log_ratio(const S& log_ratio, const F& f) {
  const S result = f(straight_through(bounded_log_ratio(log_ratio), log_ratio));
  return select(abs(log_ratio) <= S(kLogRatioBound), result, stop_gradient(result));
}

/// pi / pi_old of one token.
template <class S>
DUALAGENT_HD constexpr S importance_ratio(const TokenTerms<S>& t) {
  return of_bounded_log_ratio(t.log_prob - t.old_log_prob, [](const S& x) { return exp(x); });
}

/// -min(r A, clip(r, 1 - low, 1 + high) A) for a ratio r; minimised.
///
/// Kinks: at r = 1 + high (A > 0) and r = 1 - low (A < 0) the derivative is that of the unclipped
/// side.
/// Source: Schulman et al., "Proximal policy optimization", 2017, eq. 7; asymmetric bounds: Yu et
/// al., "DAPO", 2025, eq. 8.
template <class S>
DUALAGENT_HD constexpr S clip_loss(const S& ratio, const S& advantage, const S& low,
                                   const S& high) {
  const S unclipped = -(ratio * advantage);
  // Where this is the greater, the ratio is out of bounds: no derivative through it is lost.
  const S clipped = -(clamp(stop_gradient(ratio), S(1) - low, S(1) + high) * advantage);
  return max(unclipped, clipped);
}

/// The importance ratio as a plain number.
template <class T>
DUALAGENT_HD T ratio_of(T log_ratio) {
  return std::exp(bounded_log_ratio(Dual<T, 1>(log_ratio)).value);
}

/// Whether clip_loss takes its clipped side: the ratio is out of bounds where that costs the token
/// its gradient.
template <class T>
DUALAGENT_HD constexpr bool is_clipped(T ratio, T advantage, T low, T high) {
  return advantage > T(0) ? ratio > T(1) + high : advantage < T(0) && ratio < T(1) - low;
}

/// min(loss, -bound A) for A < 0, so that a huge ratio cannot make a huge loss; bound > 1.
///
/// Kink: at loss = -bound A the derivative is that of the loss.
/// Source: Ye et al., "Mastering complex control in MOBA games", 2020, eq. 5.
template <class S>
DUALAGENT_HD constexpr S dual_clip(const S& loss, const S& advantage, const S& bound) {
  return advantage < S(0) ? min(loss, -(bound * advantage)) : loss;
}

/// The clip loss with r capped at `cap` before it meets A, whatever the sign of A; cap > 1 + high.
///
/// Kink: at r = cap the derivative is that of r.
/// Source: Prime Intellect team, "INTELLECT-2", 2025, section 3.4.
template <class S>
DUALAGENT_HD constexpr S two_sided_clip_loss(const S& ratio, const S& advantage, const S& low,
                                             const S& high, const S& cap) {
  const S unclipped = -(min(ratio, cap) * advantage);
  const S clipped = -(clamp(ratio, S(1) - low, S(1) + high) * advantage);
  return max(unclipped, clipped);
}

/// -stop_gradient(clamp(r, lower, upper)) A log pi: a clipped token keeps its gradient.
/// Source: MiniMax, "MiniMax-M1", 2025, eq. 4 and 5.
template <class S>
DUALAGENT_HD constexpr S cispo_loss(const TokenTerms<S>& t, const S& lower, const S& upper) {
  return -(stop_gradient(clamp(importance_ratio(t), lower, upper)) * t.advantage * t.log_prob);
}

/// stop_gradient(s) pi / stop_gradient(pi) with s = exp(mean log-ratio of the segment), the
/// mean bounded like every log-ratio: the derivative is 0 beyond.
///
/// Averaged over the tokens of a segment with one advantage, value and gradient of a loss of this
/// ratio are those of the loss of s itself.
/// Source: Zheng et al., "Group sequence policy optimization", 2025, eq. 7 and 14.
template <class S>
DUALAGENT_HD constexpr S sequence_ratio(const TokenTerms<S>& t) {
  return of_bounded_log_ratio(straight_through(t.sequence_log_ratio, t.log_prob),
                              [](const S& x) { return exp(x); });
}

/// max((V - G)^2, (clamp(V, V_old - clip, V_old + clip) - G)^2) / 2 for the target G.
///
/// Kinks: where both are equal, and at V = V_old +- clip, the derivative is that of V.
/// Source: Schulman et al.'s PPO implementation, 2017 (`baselines`, `vfloss`).
template <class S>
DUALAGENT_HD constexpr S clipped_value_loss(const S& value, const S& old_value, const S& target,
                                            const S& clip) {
  const S error = value - target;
  const S near = clamp(value, old_value - clip, old_value + clip) - target;
  return S(0.5) * max(error * error, near * near);
}

/// Estimators of KL(pi || pi_reference) from one sampled token; d = log pi - log pi_reference,
/// bounded to +-20.
/// Source: Schulman, "Approximating KL divergence", 2020.
template <class S>
DUALAGENT_HD constexpr S kl1(const S& d) {
  return bounded_log_ratio(d);
}
template <class S>
DUALAGENT_HD constexpr S kl2(const S& d) {
  const S bounded = bounded_log_ratio(d);
  return S(0.5) * bounded * bounded;
}
template <class S>
DUALAGENT_HD constexpr S kl3(const S& d) {
  return of_bounded_log_ratio(d, [](const S& x) { return exp(-x) - S(1) + x; });
}
/// The value of kl3 with the gradient of kl2, which is that of the divergence in expectation.
template <class S>
DUALAGENT_HD constexpr S kl3_with_kl2_gradient(const S& d) {
  return straight_through(kl3(d), kl2(d));
}

}  // namespace dualagent::kernels
