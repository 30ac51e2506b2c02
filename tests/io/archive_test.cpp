#include "dualagent/io/archive.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("an archive is little-endian numbers and counted texts", "[io]") {
  ArchiveWriter out;
  out.number(std::uint16_t{0x0102});
  out.number(-2.0F);
  out.text("ab");
  const std::vector<std::byte> expected{
      std::byte{2}, std::byte{1},                                 // 0x0102
      std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0xC0},  // -2: 0xC0000000
      std::byte{2}, std::byte{0}, std::byte{0}, std::byte{0},     // two bytes follow
      std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0},    std::byte{'a'}, std::byte{'b'}};
  CHECK(std::vector<std::byte>(out.bytes().begin(), out.bytes().end()) == expected);
  ArchiveReader in(out.bytes(), "here");
  CHECK(in.number<std::uint16_t>("a") == 0x0102);
  CHECK(in.number<float>("b") == -2.0F);
  CHECK(in.text("c") == "ab");
  in.require_end();
}

TEST_CASE("an archive that ends too early, or too late, is refused with thing and place", "[io]") {
  ArchiveWriter out;
  out.count(1000);
  out.number(std::uint8_t{7});
  const auto read = [&] { return ArchiveReader(out.bytes(), "here"); };
  CHECK_THROWS_WITH(read().text("a name"),
                    ContainsSubstring("ends within a name") && ContainsSubstring("here, byte 8"));
  CHECK_THROWS_WITH(read().count("the rows"), ContainsSubstring("ends within the rows"));
  CHECK_THROWS_WITH(read().numbers<double>(std::size_t{1} << 61, "the sums"),
                    ContainsSubstring("ends within the sums"));
  CHECK_THROWS_WITH(read().require_end(), ContainsSubstring("9 bytes follow"));
  CHECK(read().numbers<std::uint8_t>(9, "bytes").back() == 7);
}
