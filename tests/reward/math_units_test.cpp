#include "dualagent/reward/math_units.hpp"

#include <cstddef>
#include <string_view>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent::detail;

namespace {
/// How many tokens stand before the words and units that end a text; all if none do.
std::size_t before_words(std::string_view text) {
  return begin_of_last_words(MathTokenizer(text).tokens());
}
bool two_letters(std::string_view text, std::size_t at = 0) {
  return is_unit_at(MathTokenizer(text).tokens(), at);
}
}  // namespace

TEST_CASE("short units are known by their letters and case", "[reward]") {
  for (const char* unit : {"m", "cm", "kg", "mph", "Hz", "in"}) CHECK(is_short_unit(unit));
  for (const char* other : {"", "x", "CM", "kgs", "hz", "c"}) CHECK_FALSE(is_short_unit(other));
}

TEST_CASE("two letters are a unit where they stand together", "[reward]") {
  CHECK(two_letters("cm"));
  CHECK(two_letters("5 cm", 1));
  CHECK_FALSE(two_letters("c m"));
  CHECK_FALSE(two_letters("xy"));
  CHECK_FALSE(two_letters("c"));
  CHECK_FALSE(two_letters("5cm", 3));  // beyond the end
}

TEST_CASE("words and units at the end are found, of any number", "[reward]") {
  CHECK(before_words("12 apples") == 2);
  CHECK(before_words("12 red apples") == 2);
  CHECK(before_words("12 km/h") == 2);
  CHECK(before_words("12 miles per hour") == 2);
  CHECK(before_words("5 cm") == 1);
  CHECK(before_words("12") == 2);  // none
  CHECK(before_words("2x") == 2);
  CHECK(before_words("") == 0);
}

TEST_CASE("a division is not a unit", "[reward]") {
  CHECK(before_words("3/x") == 3);
  CHECK(before_words("12/apples") == 4);  // the slash would be left without its number
}
