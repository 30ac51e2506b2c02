#pragma once

#include <cmath>
#include <cstddef>
#include <limits>

#include "dualagent/kernels/log_prob.inl"
#include "dualagent/kernels/simd.inl"

/// Serial loops over one row of logits: log-softmax with entropy, and the gradient of a token's
/// loss. Bits depend on the row alone, not on its place in memory.
namespace dualagent::cpu {

/// What is known of one row of logits after log-softmax.
template <class T>
struct LogitsRow {
  T top;      // largest logit
  T sum;      // of exp((logit - top) / temperature)
  T log_sum;  // log(sum)
  T entropy;  // nats
};

/// Largest of n >= 1 numbers; a NaN among them is either the result or passed over.
template <class T>
inline T largest(std::size_t n, const T* x) {
  using Vec = kernels::Simd<T>;
  constexpr std::size_t kLanes = kernels::kLanes<T>;
  constexpr std::size_t kChains = 4;  // so that no comparison waits for the one before it
  Vec top[kChains];
  for (Vec& chain : top) chain = kernels::broadcast(-std::numeric_limits<T>::infinity());
  std::size_t i = 0;
  for (; i + kChains * kLanes <= n; i += kChains * kLanes)
#if !defined(__CUDACC__)  // nvcc does not know it
#pragma GCC unroll 4
#endif
    for (std::size_t c = 0; c < kChains; ++c)
      top[c] = kernels::max(kernels::load<T>(x + i + c * kLanes), top[c]);
  for (; i + kLanes <= n; i += kLanes) top[0] = kernels::max(kernels::load<T>(x + i), top[0]);
  if (i < n) top[0] = kernels::max(kernels::load_end(x + i, n - i, x[i]), top[0]);
  top[0] = kernels::max(kernels::max(top[0], top[1]), kernels::max(top[2], top[3]));
  T result = top[0][0];
  for (std::size_t lane = 1; lane < kLanes; ++lane)
    result = top[0][lane] > result ? top[0][lane] : result;
  return result;
}

/// Sums over numbers z of a row, or of a part of one.
template <class T>
struct ExpSums {
  T sum;       // of exp(z)
  T weighted;  // of exp(z) z
};

/// Replaces n >= 1 logits by z = (logit - top) / temperature; writes exp(z) to `e` unless it is
/// null. Nothing beyond the n-th number is read or written. See log_softmax_row.
template <class T>
[[gnu::noinline]] ExpSums<T> exp_sums(std::size_t n, T top, T inverse_temperature, T* logits,
                                      T* e) {
  using Vec = kernels::Simd<T>;
  constexpr std::size_t kLanes = kernels::kLanes<T>;
  const Vec least = kernels::broadcast(T{-1e30F});  // in the place of -infinity: 0 * it is 0
  Vec sum{};
  Vec weighted{};
  const auto add = [&](Vec z) {
    const Vec exp_z = kernels::exp(z);
    sum += exp_z;
    weighted = kernels::multiply_add(exp_z, kernels::max(least, z), weighted);
    return exp_z;
  };
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const Vec z = (kernels::load<T>(logits + i) - top) * inverse_temperature;
    const Vec exp_z = add(z);
    kernels::store<T>(logits + i, z);
    if (e != nullptr) kernels::store<T>(e + i, exp_z);
  }
  if (i < n) {
    const T never = -std::numeric_limits<T>::infinity();
    const Vec z = (kernels::load_end(logits + i, n - i, never) - top) * inverse_temperature;
    const Vec exp_z = add(z);
    kernels::store_end<T>(logits + i, n - i, z);
    if (e != nullptr) kernels::store_end<T>(e + i, n - i, exp_z);
  }
  return {kernels::sum_lanes<T>(sum), kernels::sum_lanes<T>(weighted)};
}

/// e = exp(z) of n numbers, with the bits of exp_sums.
template <class T>
void exp_row(std::size_t n, const T* z, T* e) {
  constexpr std::size_t kLanes = kernels::kLanes<T>;
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    kernels::store<T>(e + i, kernels::exp(kernels::load<T>(z + i)));
  if (i == n) return;
  const kernels::Simd<T> end = kernels::exp(kernels::load_end(z + i, n - i, T{0}));
  kernels::store_end<T>(e + i, n - i, end);
}

/// What is known of a row whose sums are these.
template <class T>
LogitsRow<T> logits_row(T top, const ExpSums<T>& sums) {
  LogitsRow<T> row{top, sums.sum, std::log(sums.sum), T{0}};
  row.entropy = row.log_sum - sums.weighted / row.sum;
  return row;
}

/// Replaces a row of n >= 1 logits by z = (logit - top) / temperature; writes exp(z) to `e` unless
/// it is null. Nothing beyond the n-th number is read or written.
///
/// A logit of -infinity is an impossible token: z = -infinity, exp(z) = 0. A NaN, +infinity, or
/// -infinity everywhere makes `sum` NaN. Not inlined: sampling and training run the very same
/// instructions, and so get the same bits.
template <class T>
[[gnu::noinline]] LogitsRow<T> log_softmax_row(std::size_t n, T inverse_temperature, T* logits,
                                               T* e) {
  const T top = largest(n, logits);
  return logits_row(top, exp_sums(n, top, inverse_temperature, logits, e));
}

/// Replaces a row of n numbers z, as log_softmax_row leaves them, by the gradient of a loss with
/// respect to z; see kernels::logit_gradient. A target of n or more is not in this part of a row.
/// `next` is the row that is read after this one: it is
/// fetched meanwhile. exp(z) is computed again, which costs less than memory for it would.
template <class T>
[[gnu::noinline]] void logit_gradient_row(std::size_t n, const LogitsRow<T>& row,
                                          std::size_t target, T d_log_prob, T d_entropy, T* z,
                                          const T* next) {
  using Vec = kernels::Simd<T>;
  constexpr std::size_t kLanes = kernels::kLanes<T>;
  const T inverse_sum = T{1} / row.sum;
  const Vec entropy = kernels::broadcast(row.entropy);
  const Vec by_log_prob = kernels::broadcast(d_log_prob);
  const Vec by_entropy = kernels::broadcast(d_entropy);
  const auto gradient = [&](Vec at) {
    return kernels::logit_gradient<Vec>(kernels::exp(at) * inverse_sum, at - row.log_sum, entropy,
                                        false, by_log_prob, by_entropy);
  };
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    __builtin_prefetch(next + i, 1, 2);
    kernels::store<T>(z + i, gradient(kernels::load<T>(z + i)));
  }
  if (i < n) {
    kernels::store_end<T>(z + i, n - i, gradient(kernels::load_end(z + i, n - i, T{0})));
  }
  if (target < n) z[target] += d_log_prob;  // the target's share
}

}  // namespace dualagent::cpu
