#pragma once

/// Definitions of crc64.hpp; see core/compiled.hpp.

#include "dualagent/core/crc64.hpp"

namespace dualagent::detail {

inline constexpr std::uint64_t kCrc64Polynomial = 0xC96C5795D7870F42;

/// tables[k][b]: what byte b contributes when k more bytes follow it in a block of eight.
inline constexpr std::array<std::array<std::uint64_t, 256>, 8> make_crc64_tables() {
  std::array<std::array<std::uint64_t, 256>, 8> tables{};
  for (std::uint64_t byte = 0; byte < 256; ++byte) {
    std::uint64_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kCrc64Polynomial : 0);
    tables[0][byte] = crc;
  }
  for (std::size_t table = 1; table < 8; ++table)
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint64_t before = tables[table - 1][byte];
      tables[table][byte] = (before >> 8) ^ tables[0][before & 0xFF];
    }
  return tables;
}

inline constexpr std::array<std::array<std::uint64_t, 256>, 8> kCrc64Tables = make_crc64_tables();

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE void Crc64::update(std::span<const std::byte> bytes) {
  const auto& tables = detail::kCrc64Tables;
  std::uint64_t crc = state_;
  for (; bytes.size() >= 8; bytes = bytes.subspan(8)) {
    for (std::size_t i = 0; i < 8; ++i) crc ^= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
    std::uint64_t next = 0;
    for (std::size_t i = 0; i < 8; ++i) next ^= tables[7 - i][(crc >> (8 * i)) & 0xFF];
    crc = next;
  }
  for (const std::byte byte : bytes)
    crc = (crc >> 8) ^ tables[0][(crc ^ std::to_integer<std::uint64_t>(byte)) & 0xFF];
  state_ = crc;
}

DUALAGENT_INLINE std::uint64_t crc64(std::span<const std::byte> bytes) {
  Crc64 crc;
  crc.update(bytes);
  return crc.value();
}

}  // namespace dualagent
