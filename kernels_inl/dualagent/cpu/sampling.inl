#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "dualagent/kernels/sampling.inl"
#include "dualagent/kernels/simd.inl"

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

/// The least T from which on a weight is at least w <= 2^33.
template <class T>
T e_of_weight(std::uint64_t w) {
  const T nearest = static_cast<T>(w) * T{0x1p-32};
  const bool below = static_cast<double>(nearest) < static_cast<double>(w) * 0x1p-32;
  return below ? std::nextafter(nearest, T{4}) : nearest;
}

/// Whether one of a block of numbers is at least `from`.
template <class T>
bool any_from(const T* e, T from) {
  kernels::Simd<T> top = kernels::load(e);
  for (std::size_t c = 1; c < 4; ++c)
    top = kernels::max(kernels::load(e + c * kernels::kLanes<T>), top);
  T most = top[0];
  for (std::size_t lane = 1; lane < kernels::kLanes<T>; ++lane)
    most = top[lane] > most ? top[lane] : most;
  return most >= from;
}

/// Calls `body` with every number that is at least `from`; passes over blocks without one.
template <class T, class Body>
void for_each_from(std::size_t n, const T* e, T from, Body&& body) {
  constexpr std::size_t kBlock = 4 * kernels::kLanes<T>;
  for (std::size_t begin = 0; begin < n; begin += kBlock) {
    const std::size_t end = std::min(n, begin + kBlock);
    if (end - begin == kBlock && !any_from(e + begin, from)) continue;
    for (std::size_t i = begin; i < end; ++i)
      if (e[i] >= from) body(e[i]);
  }
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
    // Most tokens are improbable, with digits 0: it is 0 where no other one is found.
    const T from = e_of_weight<T>((found << kDigitBits | 1U) << shift);
    const T to = e_of_weight<T>((found + 1) << (shift + kDigitBits));
    for_each_from(n, e, from, [&](T x) {
      if (!(x < to)) return;
      const std::uint64_t weight = kernels::sampling_weight(x);
      sums[(weight >> shift) % kDigits] += amount(weight);
    });
    std::size_t digit = kDigits - 1;
    while (digit > 0 && sums[digit] < goal) goal -= sums[digit--];
    found = found << kDigitBits | digit;
    if (shift == 0) return found;
  }
}

/// Sum of the weights of at least `least`.
template <class T>
std::uint64_t weight_from(std::size_t n, const T* e, std::uint64_t least) {
  std::uint64_t sum = 0;
  for_each_from(n, e, e_of_weight<T>(least), [&](T x) { sum += kernels::sampling_weight(x); });
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
  const T from = detail::e_of_weight<T>(least), drawable = detail::e_of_weight<T>(1);
  bool all = true;
  for (std::size_t i = 0; i < n; ++i) {
    all = all && !(e[i] < from && e[i] >= drawable);
    e[i] = e[i] < from ? T{0} : e[i];
  }
  return all ? 0 : kept;
}

}  // namespace dualagent::cpu
