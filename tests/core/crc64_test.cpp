#include "dualagent/core/crc64.hpp"

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

namespace {

/// The definition, one bit at a time.
std::uint64_t crc64_bit_by_bit(std::span<const std::byte> bytes) {
  std::uint64_t crc = ~std::uint64_t{0};
  for (const std::byte byte : bytes) {
    crc ^= std::to_integer<std::uint64_t>(byte);
    for (int bit = 0; bit < 8; ++bit)
      crc = (crc & 1) != 0 ? (crc >> 1) ^ 0xC96C5795D7870F42ULL : crc >> 1;
  }
  return ~crc;
}

std::vector<std::byte> some_bytes(std::size_t count) {
  std::vector<std::byte> bytes(count);
  std::uint32_t state = 12345;
  for (std::byte& byte : bytes) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<std::byte>(state >> 24);
  }
  return bytes;
}

}  // namespace

TEST_CASE("the CRC of the standard check text is the published one", "[core][crc64]") {
  CHECK(crc64(std::as_bytes(std::span(std::string_view("123456789")))) == 0x995DC9BBDF1939FAULL);
  CHECK(crc64({}) == 0);
}

TEST_CASE("eight bytes at a time give the CRC of one bit at a time", "[core][crc64]") {
  const std::vector<std::byte> bytes = some_bytes(70);
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    const std::span<const std::byte> part(bytes.data(), size);
    CHECK(crc64(part) == crc64_bit_by_bit(part));
  }
}

TEST_CASE("a CRC does not depend on how the stream is cut", "[core][crc64]") {
  const std::vector<std::byte> bytes = some_bytes(40);
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    Crc64 crc;
    crc.update(std::span(bytes).first(cut));
    crc.update(std::span(bytes).subspan(cut));
    CHECK(crc.value() == crc64(bytes));
  }
}

TEST_CASE("every flipped bit changes the CRC", "[core][crc64]") {
  std::vector<std::byte> bytes = some_bytes(64);
  const std::uint64_t whole = crc64(bytes);
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    bytes[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
    CHECK(crc64(bytes) != whole);
    bytes[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
  }
}
