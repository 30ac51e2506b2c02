#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "dualagent/kernels/host_device.inl"
#include "dualagent/kernels/simd.inl"

namespace dualagent::kernels {

/// Two bfloat16 numbers, one in each half; in memory the first one comes first.
struct Bfloat16Pair {
  std::uint32_t bits;
};

/// The bits of a float that is rounded to bfloat16, to nearest, ties to even; the lower half is 0.
/// A NaN stays one, too large a number becomes infinity.
DUALAGENT_HD inline std::uint32_t bfloat16_bits(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t up = bits + 0x7FFFU + (bits >> 16 & 1U);
  const std::uint32_t kept = (bits & 0x7FFFFFFFU) > 0x7F800000U ? bits | 0x00400000U : up;
  return kept & 0xFFFF0000U;
}

/// A float rounded to bfloat16.
DUALAGENT_HD inline float rounded_to_bfloat16(float value) {
  return std::bit_cast<float>(bfloat16_bits(value));
}

/// Both numbers rounded to bfloat16.
DUALAGENT_HD inline Bfloat16Pair bfloat16_pair(float first, float second) {
  return {bfloat16_bits(second) | bfloat16_bits(first) >> 16};
}

DUALAGENT_HD inline float first_of(Bfloat16Pair pair) {
  return std::bit_cast<float>(pair.bits << 16);
}
DUALAGENT_HD inline float second_of(Bfloat16Pair pair) {
  return std::bit_cast<float>(pair.bits & 0xFFFF0000U);
}

/// The bits of numbers that are rounded to bfloat16, lane by lane; see bfloat16_bits of one number.
inline Simd<std::uint32_t> bfloat16_bits(Simd<float> values) {
  Simd<std::uint32_t> bits;
  std::memcpy(&bits, &values, sizeof bits);
  const Simd<std::uint32_t> up = bits + 0x7FFFU + (bits >> 16U & 1U);
  const auto is_nan = (bits & 0x7FFFFFFFU) > 0x7F800000U;
  return (is_nan ? bits | 0x00400000U : up) & 0xFFFF0000U;
}

}  // namespace dualagent::kernels
