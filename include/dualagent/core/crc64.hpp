#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dualagent/core/compiled.hpp"

namespace dualagent {

namespace detail {

// ECMA-182, bit-reversed

}  // namespace detail

/// CRC-64/XZ of a stream of bytes: finds every burst of errors up to 64 bits, so every flipped bit.
///
/// Not a defence against forgery. Source: ECMA-182 polynomial, reflected, initial value and final
/// complement all ones, as in the .xz file format; eight bytes per step ("slicing-by-8").
/// Example: the nine ASCII bytes "123456789" give 0x995DC9BBDF1939FA.
class Crc64 {
 public:
  void update(std::span<const std::byte> bytes);

  std::uint64_t value() const { return ~state_; }

 private:
  std::uint64_t state_ = ~std::uint64_t{0};
};

std::uint64_t crc64(std::span<const std::byte> bytes);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/core/crc64.inl"
#endif
