#pragma once

#include <cmath>
#include <cstddef>

#include "dualagent/kernels/host_device.inl"

namespace dualagent::kernels {

template <class T>
inline constexpr T kBitsPerNat = static_cast<T>(1.4426950408889634);  // log2(e)
template <class T>
inline constexpr T kNatsPerBit = static_cast<T>(0.6931471805599453);  // log(2)

/// 2^x for x <= 0. On a device by its fast instruction: relative error below 2^-21, and 0 where the
/// result is below 2^-126.
DUALAGENT_HD inline float exp2_of_negative(float x) {
#if defined(__CUDA_ARCH__)
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
#else
  return std::exp2(x);
#endif
}
DUALAGENT_HD inline double exp2_of_negative(double x) { return std::exp2(x); }

/// What log-softmax of a set of numbers x needs: the largest, and sums over e = 2^(x - largest).
/// The numbers are in bits, logits times kBitsPerNat: a device has a power of two in one
/// instruction.
///
/// A number -infinity has probability 0. NaN, +infinity, or nothing but -infinity makes `log_sum`
/// not finite.
template <class T>
struct SoftmaxState {
  T max;       ///< bits
  T sum;       ///< of e
  T weighted;  ///< of e (x - max), bits

  /// log2 of the sum of e; log2 p = x - max - log_sum.
  DUALAGENT_HD T log_sum() const { return std::log2(sum); }
  /// Nats.
  DUALAGENT_HD T entropy() const { return kNatsPerBit<T> * (std::log2(sum) - weighted / sum); }
};

/// Combines the softmax states of two disjoint sets.
/// Source: Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018; the entropy's
/// sum goes the same way: shifting the largest by d adds d times the sum of e.
template <class T>
struct Softmax {
  using State = SoftmaxState<T>;
  DUALAGENT_HD static constexpr State identity() { return {-static_cast<T>(HUGE_VAL), T{0}, T{0}}; }
  DUALAGENT_HD State operator()(State a, State b) const {
    const State& top = a.max >= b.max ? a : b;
    const State low = relative_to(top.max, a.max >= b.max ? b : a);
    return {top.max, top.sum + low.sum, top.weighted + low.weighted};
  }

  /// The state of `state`'s numbers and N more, scale x: one rescaling for all of them. Differences
  /// to the largest are rounded once, so that logits of hundreds lose nothing.
  template <std::size_t N>
  DUALAGENT_HD static State extended(State state, const T (&x)[N], T scale) {
    T top = x[0];
    for (std::size_t i = 1; i < N; ++i) top = x[i] > top ? x[i] : top;
    top *= scale;
    if (top == -static_cast<T>(HUGE_VAL)) return state;
    if (top > state.max) state = relative_to(top, state);
    T sum{0}, weighted{0};
    for (std::size_t i = 0; i < N; ++i) {
      const T z = std::fma(x[i], scale, -state.max);
      const T e = exp2_of_negative(z);
      sum += e;
      weighted += e == T{0} ? T{0} : e * z;
    }
    return {state.max, state.sum + sum, state.weighted + weighted};
  }

 private:
  /// The same state with `max` as its largest, which is not smaller than its own.
  DUALAGENT_HD static State relative_to(T max, const State& state) {
    if (state.sum == T{0}) return {max, T{0}, T{0}};
    const T shift = state.max - max;
    const T scale = exp2_of_negative(shift);
    return {max, scale * state.sum, scale * (state.weighted + shift * state.sum)};
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
