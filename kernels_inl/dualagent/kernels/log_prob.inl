#pragma once

#include <cmath>
#include <cstddef>

#include "dualagent/kernels/host_device.inl"

namespace dualagent::kernels {

/// exp(x) for x <= 0. On a device by its fast instruction: relative error below 2^-21 (1 + |x|).
DUALAGENT_HD inline float exp_of_negative(float x) {
#if defined(__CUDA_ARCH__)
  return __expf(x);
#else
  return std::exp(x);
#endif
}
DUALAGENT_HD inline double exp_of_negative(double x) { return std::exp(x); }

/// What log-softmax of a set of numbers x needs: the largest, and sums over e = exp(x - largest).
///
/// A number -infinity has probability 0. NaN, +infinity, or nothing but -infinity makes `log_sum`
/// not finite.
template <class T>
struct SoftmaxState {
  T max;
  T sum;       ///< of e
  T weighted;  ///< of e (x - max)

  /// log of the sum of exp(x - max); log p = x - max - log_sum.
  DUALAGENT_HD T log_sum() const { return std::log(sum); }
  /// Nats.
  DUALAGENT_HD T entropy() const { return std::log(sum) - weighted / sum; }
};

/// Combines the softmax states of two disjoint sets.
/// Source: Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018; the entropy's
/// sum goes the same way: shifting the largest by d adds d times the sum of e.
template <class T>
struct Softmax {
  using State = SoftmaxState<T>;
  DUALAGENT_HD static constexpr State identity() { return {-static_cast<T>(HUGE_VAL), T{0}, T{0}}; }
  DUALAGENT_HD State operator()(State a, State b) const {
    if (a.sum == T{0}) return b;
    if (b.sum == T{0}) return a;
    const bool first = a.max >= b.max;
    const State& top = first ? a : b;
    const State& low = first ? b : a;
    const T shift = low.max - top.max;
    const T scale = exp_of_negative(shift);
    return {top.max, top.sum + scale * low.sum,
            top.weighted + scale * (low.weighted + shift * low.sum)};
  }

  /// The state of `state`'s numbers and N more: one rescaling for all of them.
  template <std::size_t N>
  DUALAGENT_HD static State extended(State state, const T (&x)[N]) {
    T top = x[0];
    for (std::size_t i = 1; i < N; ++i) top = x[i] > top ? x[i] : top;
    if (top == -static_cast<T>(HUGE_VAL)) return state;
    State more{top, T{0}, T{0}};
    for (std::size_t i = 0; i < N; ++i) {
      const T z = x[i] - top;
      const T e = exp_of_negative(z);
      more.sum += e;
      more.weighted += e == T{0} ? T{0} : e * z;
    }
    return Softmax{}(state, more);
  }
};

/// Gradient of a loss with respect to one logit, through log-softmax and entropy.
///
/// For logits z (already divided by the temperature), p = softmax(z), a target and a loss L(log p
/// of the target, entropy H of p):
///   dL/dz_v = dL/dlog_prob (1[v = target] - p_v) - dL/dH p_v (log p_v + H).
/// Shapes: scalars. `log_p` may be -infinity where p is 0; the result is then exact (0 or the
/// target's share).
template <class T>
DUALAGENT_HD constexpr T logit_gradient(T p, T log_p, T entropy, bool is_target, T d_log_prob,
                                        T d_entropy) {
  const T spread = p == T{0} ? T{0} : p * (d_log_prob + d_entropy * (log_p + entropy));
  return (is_target ? d_log_prob : T{0}) - spread;
}

}  // namespace dualagent::kernels
