#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "dualagent/kernels/host_device.inl"

/// Drawing a token in integers: sums of integers do not depend on their order, so that a CPU and a
/// device, and any number of threads, draw the same token from the same logits.
namespace dualagent::kernels {

/// exp(x) for x <= 0, 0 below -87: the polynomial of kernels::exp (simd.inl), one number at a time,
/// written in fused multiply-adds alone. Determinism: the same bits on a CPU with such an
/// instruction, vectorised or not, and on a device.
DUALAGENT_HD inline float portable_exp(float x) {
  if (!(x >= -87.0F)) return x != x ? x : 0.0F;
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to an integer
  const float shifted = std::fma(x, 1.44269504F, kRound);
  const float n = shifted - kRound;
  float r = std::fma(n, -0.693359375F, x);
  r = std::fma(n, 2.12194440e-4F, r);
  float p = std::fma(r, 1.3814540e-3F, 8.3687451e-3F);
  p = std::fma(p, r, 4.1668391e-2F);
  p = std::fma(p, r, 1.6666520e-1F);
  p = std::fma(p, r, 4.9999993e-1F);
  p = std::fma(p, r * r, r) + 1.0F;
  const auto power = static_cast<std::uint32_t>(static_cast<std::int32_t>(n) + 127) << 23U;
  return p * std::bit_cast<float>(power);
}

/// exp(z) in [0, 1] in units of 2^-32, rounded down: a token less probable than 2^-32 of the most
/// probable one is never drawn. Sums of up to 2^31 of them fit.
template <class T>
DUALAGENT_HD constexpr std::uint64_t sampling_weight(T exp_z) {
  return static_cast<std::uint64_t>(exp_z * T{4294967296});
}

/// High 64 bits of a * b: a uniform integer below b for uniform bits a.
DUALAGENT_HD constexpr std::uint64_t multiply_high(std::uint64_t a, std::uint64_t b) {
  constexpr std::uint64_t kLow = 0xFFFFFFFFU;
  const std::uint64_t low = (a & kLow) * (b & kLow);
  const std::uint64_t middle = (a >> 32U) * (b & kLow) + (low >> 32U);
  const std::uint64_t other = (a & kLow) * (b >> 32U) + (middle & kLow);
  return (a >> 32U) * (b >> 32U) + (middle >> 32U) + (other >> 32U);
}

/// fraction * total, rounded up, for 0 <= fraction < 1; exact.
DUALAGENT_HD constexpr std::uint64_t fraction_of(float fraction, std::uint64_t total) {
  // A float has 24 significant bits: the product with 2^64 is exact in double.
  const auto fixed = static_cast<std::uint64_t>(double{fraction} * 18446744073709551616.0);
  const std::uint64_t low = fixed * total;  // of the product, in units of 2^-64
  return multiply_high(fixed, total) + (low != 0 ? 1U : 0U);
}

/// A number and where it stands.
template <class T>
struct ArgmaxState {
  T value;
  std::size_t index;
};

/// The largest number; the first of equal ones. A NaN loses.
template <class T>
struct Argmax {
  using State = ArgmaxState<T>;
  DUALAGENT_HD static constexpr State identity() {
    return {-static_cast<T>(HUGE_VAL), ~std::size_t{0}};
  }
  DUALAGENT_HD constexpr State operator()(State a, State b) const {
    if (b.value > a.value || a.value != a.value) return b;
    if (a.value > b.value || b.value != b.value) return a;
    return a.index < b.index ? a : b;
  }
};

}  // namespace dualagent::kernels
