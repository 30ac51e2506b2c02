#include "dualagent/reward/math_value.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "support/catch.hpp"

using namespace dualagent::detail;

namespace {

std::optional<MathValue> value(std::string_view text) {
  const auto tokens = MathTokenizer(text).tokens();
  return MathValueReader().read(tokens);
}
bool equal(std::string_view a, std::string_view b) {
  const auto first = value(a), second = value(b);
  return first && second && equal_values(*first, *second);
}
std::size_t pieces(std::string_view text) {
  const auto tokens = MathTokenizer(text).tokens();
  const auto split = split_math(tokens, is_math_comma);
  return split ? split->first.size() : 0;
}

}  // namespace

TEST_CASE("commas outside of brackets part a list", "[reward]") {
  CHECK(pieces("(1,2),3") == 2);
  CHECK(pieces("\\{1,2\\}") == 1);
  CHECK(pieces("1,,2") == 3);
  CHECK(pieces("(1") == 0);  // brackets do not match
  CHECK(pieces("1),(2") == 0);
}

TEST_CASE("brackets and the order of their items are part of a tuple", "[reward]") {
  CHECK(equal("(1,2)", "(1, 4/2)"));
  CHECK_FALSE(equal("(1,2)", "(2,1)"));
  CHECK_FALSE(equal("(1,2)", "[1,2]"));
  CHECK_FALSE(equal("(1,2]", "(1,2)"));
  CHECK_FALSE(equal("(1,2)", "(1,2,3)"));
  CHECK(equal("((1,2),3)", "((1,2),3)"));
}

TEST_CASE("a set has no order, and one of one item is the item", "[reward]") {
  CHECK(equal("\\{1,2,3\\}", "\\{3,1,2\\}"));
  CHECK(equal("{1,2}", "\\{2,1\\}"));
  CHECK(equal("\\{5\\}", "5"));
  CHECK(equal("5", "\\{5\\}"));
  CHECK_FALSE(equal("\\{1,1,2\\}", "\\{1,2,2\\}"));
  CHECK_FALSE(equal("\\{1,2\\}", "(1,2)"));
}

TEST_CASE("matrices are equal entry by entry", "[reward]") {
  const std::string a = "\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}";
  CHECK(equal(a, "\\begin{bmatrix} 1 & 2 \\\\ 3 & 8/2 \\\\ \\end{bmatrix}"));
  CHECK_FALSE(equal(a, "\\begin{pmatrix}1&3\\\\2&4\\end{pmatrix}"));
  CHECK_FALSE(equal(a, "\\begin{pmatrix}1&2&3&4\\end{pmatrix}"));
}

TEST_CASE("a plus-minus sign is two values", "[reward]") {
  CHECK(equal("\\{2\\pm 3\\}", "\\{-1,5\\}"));
  CHECK_FALSE(equal("\\{2\\pm 3\\}", "\\{5\\}"));
  CHECK_FALSE(value("1\\pm 2\\pm 3"));
}

TEST_CASE("a percentage equals its number and its hundredth", "[reward]") {
  CHECK(equal("50%", "0.5"));
  CHECK(equal("50\\%", "50"));
  CHECK_FALSE(equal("50%", "5"));
  CHECK_FALSE(equal("50%", "5000"));
}

TEST_CASE("what is too deep, too long or not mathematics is not read", "[reward]") {
  CHECK_FALSE(value(""));
  CHECK_FALSE(value("yes"));
  CHECK_FALSE(value("(1,"));
  CHECK_FALSE(value("(1,yes)"));
  std::string deep = "1", list = "(0";
  for (int i = 0; i < 20; ++i) deep = "(" + deep + ",1)";
  for (int i = 0; i < 100; ++i) list += ",1";
  CHECK_FALSE(value(deep));
  CHECK_FALSE(value(list + ")"));
  CHECK(value("((((1,2),3),4),5)"));
}
