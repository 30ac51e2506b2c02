#include "dualagent/reward/math_cursor.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent::detail;

namespace {
std::vector<MathToken> tokens(std::string_view text) { return MathTokenizer(text).tokens(); }
}  // namespace

TEST_CASE("a cursor takes what stands at its place and nothing behind the end", "[reward]") {
  const auto row = tokens("2x");
  MathCursor cursor(row);
  CHECK(cursor.is_digit());
  CHECK(cursor.here(1).text == "x");
  CHECK_FALSE(cursor.take("x"));
  CHECK(cursor.take("2"));
  CHECK(cursor.take("x"));
  CHECK(cursor.here().text.empty());
  CHECK(cursor.here(100).text.empty());
  CHECK_FALSE(cursor.is_digit());
  CHECK_FALSE(cursor.opens());
  CHECK_FALSE(MathCursor({}).closes());
}

TEST_CASE("digits stand together up to a space or another token", "[reward]") {
  const auto count = [](std::string_view text) {
    const auto row = tokens(text);
    return MathCursor(row).count_digits();
  };
  CHECK(count("123") == 3);
  CHECK(count("12 3") == 2);
  CHECK(count("12.3") == 2);
  CHECK(count("x1") == 0);
  CHECK(count("") == 0);
}

TEST_CASE("whole numbers have 17 digits at most, arguments one digit or braces", "[reward]") {
  const auto number = [](std::string_view text) {
    const auto row = tokens(text);
    return MathCursor(row).whole_number();
  };
  const auto argument = [](std::string_view text) {
    const auto row = tokens(text);
    return MathCursor(row).whole_argument();
  };
  CHECK(number("042") == 42);
  CHECK(number("99999999999999999") == 99999999999999999);
  CHECK_FALSE(number("100000000000000000"));
  CHECK_FALSE(number("x"));
  CHECK(argument("12") == 1);
  CHECK(argument("{12}") == 12);
  CHECK_FALSE(argument("{12"));
  CHECK_FALSE(argument("{x}"));
  CHECK_FALSE(argument("(1)"));
}

TEST_CASE("every look at a token is counted", "[reward]") {
  const auto row = tokens("12");
  MathCursor cursor(row);
  CHECK(cursor.looks() == 0);
  cursor.is("1");
  cursor.take("1");
  CHECK(cursor.looks() == 2);
}
