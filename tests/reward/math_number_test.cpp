#include "dualagent/reward/math_number.hpp"

#include <cstdint>
#include <initializer_list>

#include "support/catch.hpp"

using namespace dualagent;

namespace {
MathNumber number(std::int64_t x) { return MathNumber::integer(x); }
MathNumber fraction(std::int64_t a, std::int64_t b) { return number(a) / number(b); }
MathNumber root(const MathNumber& x, std::int64_t degree = 2) {
  return power(x, fraction(1, degree));
}
const MathNumber kX = MathNumber::variable("x"), kY = MathNumber::variable("y");
}  // namespace

TEST_CASE("rational numbers obey the laws of a field, whatever their size", "[reward]") {
  const MathNumber huge = power(number(7), number(5000)) + number(1);
  for (const MathNumber& a : {number(-3), fraction(5, 7), huge, kX, number(INT64_MAX)})
    for (const MathNumber& b : {number(2), fraction(-1, 9), huge, kX + kY}) {
      CHECK((a + b).equals(b + a));
      CHECK((a * b).equals(b * a));
      CHECK((a / b * b).equals(a));
      CHECK((a + b + -b).equals(a));
      CHECK(((a + b) * (a + b)).equals(a * a + number(2) * a * b + b * b));
      CHECK(power(a, number(-3)).equals(number(1) / (a * a * a)));
      CHECK_FALSE((a + number(1)).equals(a));
      CHECK_FALSE((a * b + number(1)).equals(a * b));
    }
  CHECK(fraction(1, 3).equals(fraction(-2, -6)));
  CHECK_FALSE(huge.equals(huge + number(1)));
  CHECK(fraction(12, 4).small_integer() == 3);
  CHECK(power(number(2), number(61)).small_integer() == std::int64_t{1} << 61);
  CHECK_FALSE(power(number(2), number(62)).small_integer());  // not known as one any more
}

TEST_CASE("roots are those of positive numbers, and odd ones of negative numbers", "[reward]") {
  CHECK(root(number(50)).equals(number(5) * root(number(2))));
  CHECK((root(number(2)) * root(number(3))).equals(root(number(6))));
  CHECK(root(number(101 * 101)).equals(number(101)));  // 101 need not be a square
  CHECK(root(fraction(9, 16)).equals(fraction(3, 4)));
  CHECK(root(number(-8), 3).equals(number(-2)));
  CHECK(root(number(16), 4).equals(number(2)));
  CHECK(power(number(8), fraction(2, 3)).equals(number(4)));
  CHECK_FALSE(root(kX * kX).equals(kX));  // x may be negative
  CHECK(root(number(4) * kX).equals(number(2) * root(kX)));
  CHECK(root(root(number(3)) + number(1)).equals(root(number(1) + root(number(3)))));
  CHECK_FALSE(root(number(2)).equals(-root(number(2))));
  CHECK_FALSE(root(number(101)).equals(root(number(103))));
  CHECK_FALSE(root(kX + number(1)).equals(root(kX + number(2))));
}

TEST_CASE("division by zero and arithmetic with infinity are not valid", "[reward]") {
  CHECK_FALSE((number(1) / number(0)).is_valid());
  CHECK_FALSE((number(1) / (kX + -kX)).is_valid());
  CHECK_FALSE((number(1) / (root(number(2)) + -root(number(2)))).is_valid());
  CHECK_FALSE((number(1) / (root(number(101)) + -root(number(101)))).is_valid());
  CHECK_FALSE(power(number(0), number(0)).is_valid());
  CHECK_FALSE(power(number(0), number(-1)).is_valid());
  CHECK_FALSE((MathNumber::infinity() + number(1)).is_valid());
  CHECK_FALSE((number(2) * MathNumber::infinity()).is_valid());
  CHECK((-MathNumber::infinity()).is_valid());
  CHECK_FALSE((-MathNumber::infinity()).equals(MathNumber::infinity()));
  CHECK_FALSE((number(1) / number(0)).equals(number(1) / number(0)));
}

TEST_CASE("functions are known by name and argument", "[reward]") {
  const auto sine = [](const MathNumber& x) { return MathNumber::function("sin", x); };
  CHECK(sine(kX + kX).equals(sine(number(2) * kX)));
  CHECK((number(2) * sine(kX)).equals(sine(kX) + sine(kX)));
  CHECK_FALSE(sine(kX).equals(sine(kY)));
  CHECK_FALSE(sine(kX).equals(MathNumber::function("cos", kX)));
  CHECK_FALSE(sine(kX).equals(kX));
}
