#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "dualagent/kernels/sampling.inl"

namespace dualagent::cpu {

/// Draws an index with probability proportional to e[i], i = 0 .. n - 1, by 64 uniform bits: the
/// first whose weights up to itself exceed floor(bits * total / 2^64).
///
/// e are exp(logit - largest logit), one of them 1; see kernels::sampling_weight. An e of 0 is
/// never drawn. Determinism: gpu::sample draws the same from the same logits.
template <class T>
std::size_t sample(std::size_t n, const T* e, std::uint64_t bits) {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < n; ++i) total += kernels::sampling_weight(e[i]);
  const std::uint64_t wanted = kernels::multiply_high(bits, total);
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < n; ++i) {
    below += kernels::sampling_weight(e[i]);
    if (below > wanted) return i;
  }
  return n - 1;  // where all weights are 0
}

namespace detail {

/// The e from which on a weight is at least w; exact for up to 24 significant bits, and in double.
template <class T>
constexpr T e_of_weight(std::uint64_t w) {
  return static_cast<T>(w) * T{0x1p-32};
}

/// The largest weight w such that `amount(v)`, summed over all weights v >= w, reaches `goal` >= 1;
/// 0 where it never does. By digits from the highest on, one pass over e for each of three.
template <class T, class Amount>
std::uint64_t select_weight(std::size_t n, const T* e, std::uint64_t goal, Amount amount) {
  constexpr unsigned kDigitBits = 11;  // three digits hold the 33 bits of a weight
  constexpr std::size_t kDigits = std::size_t{1} << kDigitBits;
  std::array<std::uint64_t, kDigits> sums;  // [digits] amounts of the weights with that next digit
  std::uint64_t found = 0;                  // the digits of w so far
  for (unsigned shift = 2 * kDigitBits;; shift -= kDigitBits) {
    sums.fill(0);
    const T from = e_of_weight<T>(found << (shift + kDigitBits));
    const T to = e_of_weight<T>((found + 1) << (shift + kDigitBits));
    for (std::size_t i = 0; i < n; ++i) {
      if (!(e[i] >= from && e[i] < to)) continue;
      const std::uint64_t weight = kernels::sampling_weight(e[i]);
      sums[(weight >> shift) % kDigits] += amount(weight);
    }
    std::size_t digit = kDigits;
    while (digit > 0 && sums[digit - 1] < goal) goal -= sums[--digit];
    if (digit == 0) return 0;
    found = found << kDigitBits | (digit - 1);
    if (shift == 0) return found;
  }
}

/// Sum of the weights of at least `least`.
template <class T>
std::uint64_t weight_from(std::size_t n, const T* e, std::uint64_t least) {
  const double from = e_of_weight<double>(least);
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < n; ++i)
    if (double{e[i]} >= from) sum += kernels::sampling_weight(e[i]);
  return sum;
}

}  // namespace detail

/// Leaves out improbable tokens: sets their e to 0. In this order, each on what the one before it
/// has left: top-k keeps the k most probable tokens (0: all); top-p the fewest most probable ones
/// whose probabilities add up to p or more (1: all); min-p those that are at least min_p times as
/// probable as the most probable one (0: all). Equally probable tokens stay or go together.
///
/// e as in `sample`, top_p > 0; no allocation. Returns the sum of the weights that are left, 0 if
/// all are. Determinism: in integers, as `sample`.
template <class T>
std::uint64_t leave_out(std::size_t n, T* e, std::size_t top_k, float top_p, float min_p) {
  std::uint64_t least = 1;  // a weight of 0 is never drawn
  if (top_k > 0 && top_k < n)
    least = std::max(
        least, detail::select_weight(n, e, top_k, [](std::uint64_t) { return std::uint64_t{1}; }));
  if (top_p < 1.0F) {
    const std::uint64_t total = detail::weight_from(n, e, least);
    const std::uint64_t goal = kernels::fraction_of(top_p, total);
    least = std::max(least, detail::select_weight(n, e, goal, [](std::uint64_t w) { return w; }));
  }
  const double by_min_p = std::ceil(double{min_p} * 4294967296.0);
  least = std::max(least, static_cast<std::uint64_t>(by_min_p));
  const std::uint64_t kept = detail::weight_from(n, e, least);
  const double from = detail::e_of_weight<double>(least);
  bool all = true;
  for (std::size_t i = 0; i < n; ++i) {
    if (double{e[i]} >= from) continue;
    all = all && kernels::sampling_weight(e[i]) == 0;
    e[i] = T{0};
  }
  return all ? 0 : kept;
}

}  // namespace dualagent::cpu
