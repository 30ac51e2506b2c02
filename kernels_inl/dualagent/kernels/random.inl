#pragma once

#include <cstdint>

#include "dualagent/kernels/host_device.inl"

namespace dualagent::kernels {

/// Four 32-bit words: a counter before, random bits after.
struct Philox4 {
  std::uint32_t word[4];
};

/// Philox4x32-10: a bijection of the 128-bit counter for every 64-bit key.
///
/// Determinism: the same bits on every machine, host or device; no state.
/// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
DUALAGENT_HD constexpr Philox4 philox4x32(Philox4 counter, std::uint32_t key0, std::uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53U} * counter.word[0];
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57U} * counter.word[2];
    counter = {{static_cast<std::uint32_t>(product1 >> 32U) ^ counter.word[1] ^ key0,
                static_cast<std::uint32_t>(product1),
                static_cast<std::uint32_t>(product0 >> 32U) ^ counter.word[3] ^ key1,
                static_cast<std::uint32_t>(product0)}};
    key0 += 0x9E3779B9U;
    key1 += 0xBB67AE85U;
  }
  return counter;
}

/// 53 random bits as a number in [0, 1).
DUALAGENT_HD constexpr double unit_double(std::uint64_t bits) {
  return static_cast<double>(bits >> 11U) * 0x1.0p-53;
}

/// 24 random bits as a number in [0, 1).
DUALAGENT_HD constexpr float unit_float(std::uint32_t bits) {
  return static_cast<float>(bits >> 8U) * 0x1.0p-24F;
}

}  // namespace dualagent::kernels
