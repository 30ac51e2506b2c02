#include "dualagent/kernels/random.inl"

#include <array>
#include <cstdint>

#include "support/catch.hpp"

using dualagent::kernels::Philox4;
using dualagent::kernels::philox4x32;
using dualagent::kernels::unit_double;
using dualagent::kernels::unit_float;

namespace {

void check_block(Philox4 counter, std::uint32_t key0, std::uint32_t key1,
                 std::array<std::uint32_t, 4> expected) {
  const Philox4 block = philox4x32(counter, key0, key1);
  for (std::size_t i = 0; i < 4; ++i) {
    INFO("word " << i);
    CHECK(block.word[i] == expected[i]);
  }
}

}  // namespace

TEST_CASE("philox gives the known answers of the Random123 distribution", "[kernels][random]") {
  // kat_vectors of Random123 1.14, lines "philox4x32 10".
  check_block({{0, 0, 0, 0}}, 0, 0, {0x6627e8d5U, 0xe169c58dU, 0xbc57ac4cU, 0x9b00dbd8U});
  check_block({{0xffffffffU, 0xffffffffU, 0xffffffffU, 0xffffffffU}}, 0xffffffffU, 0xffffffffU,
              {0x408f276dU, 0x41c83b0eU, 0xa20bc7c6U, 0x6d5451fdU});
  check_block({{0x243f6a88U, 0x85a308d3U, 0x13198a2eU, 0x03707344U}}, 0xa4093822U, 0x299f31d0U,
              {0xd16cfe09U, 0x94fdccebU, 0x5001e420U, 0x24126ea1U});
}

TEST_CASE("philox can be evaluated at compile time", "[kernels][random]") {
  static_assert(philox4x32({{0, 0, 0, 0}}, 0, 0).word[0] == 0x6627e8d5U);
  static_assert(unit_double(0) == 0.0);
  CHECK(philox4x32({{0, 0, 0, 0}}, 0, 0).word[3] == 0x9b00dbd8U);
}

TEST_CASE("unit numbers are in [0, 1) and use the highest bits", "[kernels][random]") {
  CHECK(unit_double(~std::uint64_t{0}) == 1.0 - 0x1.0p-53);
  CHECK(unit_double(std::uint64_t{1} << 63U) == 0.5);
  CHECK(unit_double(0x7FFU) == 0.0);  // the lowest 11 bits are dropped
  CHECK(unit_double(0x800U) == 0x1.0p-53);
  CHECK(unit_float(~std::uint32_t{0}) == 1.0F - 0x1.0p-24F);
  CHECK(unit_float(std::uint32_t{1} << 31U) == 0.5F);
  CHECK(unit_float(0xFFU) == 0.0F);
  CHECK(unit_float(0x100U) == 0x1.0p-24F);
}
