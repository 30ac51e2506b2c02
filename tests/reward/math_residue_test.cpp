#include "dualagent/reward/math_residue.hpp"

#include <cstdint>

#include "support/catch.hpp"

using namespace dualagent;
using detail::Residue;

TEST_CASE("the primes are safe primes, modulo which small primes are squares", "[reward]") {
  // Fermat's test to 12 bases; p and q were found with those of Miller and Rabin.
  for (const std::uint64_t p : detail::kMathPrimes) {
    const std::uint64_t q = p / 2;
    for (const std::uint64_t base : {2U, 3U, 5U, 7U, 11U, 13U, 17U, 19U, 23U, 29U, 31U, 37U}) {
      CHECK(Residue::power(base, p - 1, p) == 1);
      CHECK(Residue::power(base, q - 1, q) == 1);
    }
    for (const std::uint64_t square : {2U,  3U,  5U,  7U,  11U, 13U, 17U, 19U, 23U, 29U, 31U,
                                       37U, 41U, 43U, 47U, 53U, 59U, 61U, 67U, 71U, 73U})
      CHECK(Residue::power(square, q, p) == 1);
    CHECK(Residue::power(p - 1, q, p) == p - 1);  // -1 is none
  }
}

TEST_CASE("arithmetic modulo a small prime is that of the hand", "[reward]") {
  CHECK(Residue::multiply(5, 6, 7) == 2);
  CHECK(Residue::power(3, 4, 7) == 4);  // 81 = 11 * 7 + 4
  CHECK(Residue::power(3, 0, 7) == 1);
  CHECK(Residue::inverse(3, 7) == 5);  // 15 = 2 * 7 + 1
  CHECK(Residue::of(10, 7) == 3);
  CHECK(Residue::of(-10, 7) == 4);
  CHECK(Residue::of(-14, 7) == 0);
  CHECK(Residue::of(INT64_MIN, 7) == 6);  // 2^63 = (2^3)^21, which leaves 1
}

TEST_CASE("products of 61 bits do not overflow", "[reward]") {
  for (const std::uint64_t p : detail::kMathPrimes) {
    CHECK(Residue::multiply(p - 1, p - 1, p) == 1);  // (-1)^2
    CHECK(Residue::multiply(p - 1, 2, p) == p - 2);
    CHECK(Residue::multiply(Residue::inverse(12345, p), 12345, p) == 1);
  }
}
