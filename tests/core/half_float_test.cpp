#include "dualagent/core/half_float.hpp"

#include <cmath>
#include <cstdint>
#include <limits>

#include "support/catch.hpp"

using namespace dualagent;

namespace {

/// Value of a finite 16-bit number by its definition: (-1)^s * fraction * 2^exponent.
double value_by_definition(std::uint16_t bits, int mantissa_bits) {
  const int exponent_bits = 15 - mantissa_bits;
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = (bits & 0x7FFF) >> mantissa_bits;
  const int fraction = bits & ((1 << mantissa_bits) - 1);
  const double magnitude =
      exponent == 0 ? std::ldexp(fraction, 1 - bias - mantissa_bits)
                    : std::ldexp(fraction + (1 << mantissa_bits), exponent - bias - mantissa_bits);
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

/// Checks one format over all its 65536 bit patterns and the rounding between neighbours.
template <class ToFloat, class FromDouble>
void check_format(int mantissa_bits, ToFloat to_float, FromDouble from_double) {
  const auto infinity =
      static_cast<std::uint16_t>(((1 << (15 - mantissa_bits)) - 1) << mantissa_bits);
  std::size_t wrong = 0;
  for (std::uint32_t pattern = 0; pattern < 0x10000; ++pattern) {
    const auto bits = static_cast<std::uint16_t>(pattern);
    const std::uint16_t magnitude = bits & 0x7FFF;
    const double value = static_cast<double>(to_float(bits));
    if (magnitude > infinity) {
      wrong += std::isnan(value) && std::isnan(to_float(from_double(value))) ? 0 : 1;
      continue;
    }
    if (magnitude == infinity) {
      wrong += std::isinf(value) && from_double(value) == bits ? 0 : 1;
      continue;
    }
    wrong += value == value_by_definition(bits, mantissa_bits) ? 0 : 1;
    wrong += std::signbit(value) == (bits >= 0x8000) ? 0 : 1;
    wrong += from_double(value) == bits ? 0 : 1;

    // Halfway to the next larger magnitude: the even one of the two; beside it: the nearer one.
    const auto next = static_cast<std::uint16_t>(bits + 1);
    const double step = std::abs(value_by_definition(magnitude + 1, mantissa_bits)) -
                        std::abs(value_by_definition(magnitude, mantissa_bits));
    const double sign = bits >= 0x8000 ? -1.0 : 1.0;
    const double halfway = value + sign * step / 2;
    wrong += from_double(halfway) == (bits % 2 == 0 ? bits : next) ? 0 : 1;
    wrong += from_double(std::nextafter(halfway, 0.0)) == bits ? 0 : 1;
    wrong += from_double(std::nextafter(halfway, sign * 1e300)) == next ? 0 : 1;
  }
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("binary16 decodes and rounds by its definition", "[core][half_float]") {
  check_format(10, float16_to_float, to_float16);
}

TEST_CASE("bfloat16 decodes and rounds by its definition", "[core][half_float]") {
  check_format(7, bfloat16_to_float, to_bfloat16);
}

TEST_CASE("known values have their known bits", "[core][half_float]") {
  CHECK(to_float16(1.0) == 0x3C00);
  CHECK(to_float16(-2.0) == 0xC000);
  CHECK(to_float16(65504.0) == 0x7BFF);
  CHECK(to_float16(65520.0) == 0x7C00);
  CHECK(to_float16(std::ldexp(1.0, -24)) == 0x0001);
  CHECK(to_float16(1e-300) == 0x0000);
  CHECK(to_float16(-std::numeric_limits<double>::denorm_min()) == 0x8000);
  CHECK(to_bfloat16(1.0) == 0x3F80);
  CHECK(to_bfloat16(3.0) == 0x4040);
  CHECK(to_bfloat16(std::numeric_limits<float>::max()) == 0x7F80);
}

TEST_CASE("a double is rounded once, not first to float", "[core][half_float]") {
  // 1 + 2^-11 lies halfway; a little more rounds up, though it would be lost in a float.
  CHECK(to_float16(1.0 + std::ldexp(1.0, -11)) == 0x3C00);
  CHECK(to_float16(1.0 + std::ldexp(1.0, -11) + std::ldexp(1.0, -40)) == 0x3C01);
}
