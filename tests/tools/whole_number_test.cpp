#include "dualagent/tools/whole_number.hpp"

#include <cstdint>
#include <limits>
#include <string>

#include "support/catch.hpp"

using dualagent::whole_number;

namespace {

template <class T>
std::optional<T> read(const std::string& text) {
  return whole_number<T>(nlohmann::json::parse(text));
}

}  // namespace

TEST_CASE("an integer is what JSON Schema calls one, however it is written", "[tools]") {
  CHECK(read<int>("140") == 140);
  CHECK(read<int>("140.0") == 140);
  CHECK(read<int>("1.4e2") == 140);
  CHECK(read<int>("-0.0") == 0);
  CHECK(read<int>("-1400e-1") == -140);
  CHECK(read<std::int64_t>("9007199254740991.0") == 9007199254740991);
  for (const char* text : {"140.5", "1e-1", "\"140\"", "true", "null", "[140]", "{}"}) {
    CAPTURE(text);
    CHECK(!read<int>(text));
  }
}

TEST_CASE("an integer that does not fit its type, or is not held exactly, is nothing", "[tools]") {
  CHECK(read<std::int64_t>("9223372036854775807") == std::numeric_limits<std::int64_t>::max());
  CHECK(read<std::uint64_t>("18446744073709551615") == std::numeric_limits<std::uint64_t>::max());
  CHECK(!read<std::int64_t>("9223372036854775808"));
  CHECK(!read<std::uint64_t>("18446744073709551616"));
  CHECK(!read<std::uint64_t>("-1"));
  CHECK(!read<std::uint64_t>("-1.0"));
  CHECK(read<std::uint8_t>("255.0") == 255);
  CHECK(!read<std::uint8_t>("256.0"));
  CHECK(!read<std::int64_t>("9007199254740993.0"));  // a double would make it ...992
  CHECK(!read<std::int64_t>("1e300"));
}
