#pragma once

#include <array>
#include <cstdint>

namespace dualagent::detail {

__extension__ using Wide = unsigned __int128;

/// Safe primes p = 2 q + 1 below 2^61 modulo which every prime up to 73 is a square.
///
/// Numbers are compared by their residues modulo these: exactly, whatever their size, in constant
/// space. The squares have odd prime order q, so that in them every root is unique and a product's
/// root is the product of the roots, as for positive numbers.
inline constexpr std::array<std::uint64_t, 4> kMathPrimes{
    2305843009045133879U, 2305843008811413959U, 2305843005313677359U, 2305843002668335919U};

/// A number modulo one of the primes.
struct Residue {
  static std::uint64_t multiply(std::uint64_t a, std::uint64_t b, std::uint64_t modulus) {
    return static_cast<std::uint64_t>(Wide{a} * b % modulus);
  }
  static std::uint64_t power(std::uint64_t base, std::uint64_t exponent, std::uint64_t modulus) {
    std::uint64_t result = 1;
    for (; exponent > 0; exponent >>= 1U) {
      if ((exponent & 1U) != 0) result = multiply(result, base, modulus);
      base = multiply(base, base, modulus);
    }
    return result;
  }
  static std::uint64_t inverse(std::uint64_t a, std::uint64_t prime) {
    return power(a, prime - 2, prime);
  }
  static std::uint64_t of(std::int64_t x, std::uint64_t modulus) {
    const std::uint64_t size =
        x < 0 ? 0 - static_cast<std::uint64_t>(x) : static_cast<std::uint64_t>(x);
    const std::uint64_t rest = size % modulus;
    return x < 0 && rest != 0 ? modulus - rest : rest;
  }
};

}  // namespace dualagent::detail
