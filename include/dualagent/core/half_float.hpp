#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

namespace dualagent {

namespace detail {

/// Rounds to a 16-bit format with the given field widths: to nearest, ties to even, once.
///
/// Subnormals are kept, too large values become infinity, NaN stays a quiet NaN.
template <int kExponentBits, int kMantissaBits>
inline std::uint16_t encode_float16(double value) {
  static_assert(1 + kExponentBits + kMantissaBits == 16);
  constexpr int kBias = (1 << (kExponentBits - 1)) - 1;
  constexpr std::uint64_t kInfinity = ((std::uint64_t{1} << kExponentBits) - 1) << kMantissaBits;
  const auto bits = std::bit_cast<std::uint64_t>(value);
  const std::uint64_t sign = (bits >> 63) << 15;
  const int exponent = static_cast<int>((bits >> 52) & 0x7FF) - 1023;
  const std::uint64_t fraction = bits & ((std::uint64_t{1} << 52) - 1);
  if (exponent == 1024) {  // infinity, NaN
    const std::uint64_t quiet_nan =
        (std::uint64_t{1} << (kMantissaBits - 1)) | (fraction >> (52 - kMantissaBits));
    return static_cast<std::uint16_t>(sign | kInfinity | (fraction != 0 ? quiet_nan : 0));
  }
  const int below_normal = std::max(0, (1 - kBias) - exponent);  // 0 for normal numbers
  const int shift = 52 - kMantissaBits + below_normal;
  if (shift > 54) return static_cast<std::uint16_t>(sign);  // below half of the smallest number
  const std::uint64_t significand = fraction | (std::uint64_t{1} << 52);
  const std::uint64_t rest = significand & ((std::uint64_t{1} << shift) - 1);
  const std::uint64_t half = std::uint64_t{1} << (shift - 1);
  std::uint64_t rounded = significand >> shift;
  if (rest > half || (rest == half && (rounded & 1) != 0)) ++rounded;
  // A normal number's leading one adds 1 to the exponent field; a carry of rounding does the same.
  if (below_normal == 0)
    rounded += static_cast<std::uint64_t>(exponent + kBias - 1) << kMantissaBits;
  return static_cast<std::uint16_t>(sign | (rounded < kInfinity ? rounded : kInfinity));
}

}  // namespace detail

/// IEEE binary16 bits to the same value as a float; exact, NaN payloads included.
inline float float16_to_float(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits >> 15) << 31;
  const std::uint32_t exponent = (bits >> 10) & 0x1F;
  const std::uint32_t fraction = bits & 0x3FF;
  if (exponent == 0) {
    const float magnitude = std::ldexp(static_cast<float>(fraction), -24);
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint32_t wide_exponent = exponent == 0x1F ? 0xFF : exponent + 112;
  return std::bit_cast<float>(sign | (wide_exponent << 23) | (fraction << 13));
}

/// bfloat16 bits to the same value as a float; exact.
inline float bfloat16_to_float(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

/// Nearest binary16, ties to even; beyond 65520 infinity. Example: 1.0 gives 0x3C00.
inline std::uint16_t to_float16(double value) { return detail::encode_float16<5, 10>(value); }

/// Nearest bfloat16, ties to even. Example: 1.0 gives 0x3F80.
inline std::uint16_t to_bfloat16(double value) { return detail::encode_float16<8, 7>(value); }

}  // namespace dualagent
