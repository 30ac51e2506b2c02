#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <optional>
#include <string_view>
#include <utility>

#include "dualagent/core/compiled.hpp"
#include "dualagent/reward/math_residue.hpp"

namespace dualagent {

namespace detail {

/// A double and a bound of its rounding error.
struct Approximate {
  double value = 0, error = 0;

  static constexpr double kUlp = std::numeric_limits<double>::epsilon();
  static Approximate rounded(double value, double error) {
    return {value, error + kUlp * std::abs(value)};
  }
  friend Approximate operator+(Approximate a, Approximate b) {
    return rounded(a.value + b.value, a.error + b.error);
  }
  friend Approximate operator*(Approximate a, Approximate b) {
    return rounded(a.value * b.value,
                   std::abs(a.value) * b.error + std::abs(b.value) * a.error + a.error * b.error);
  }
  friend Approximate operator/(Approximate a, Approximate b) {
    const double size = std::abs(b.value) - b.error;  // NaN below: the divisor may be 0
    return rounded(a.value / b.value, size > 0
                                          ? (a.error + std::abs(a.value / b.value) * b.error) / size
                                          : std::numeric_limits<double>::quiet_NaN());
  }
  /// base^exponent, where `odd_root` says that a negative base has a real power.
  static Approximate power(Approximate base, Approximate exponent, bool odd_root, bool odd_power);
  bool is_finite() const { return std::isfinite(value) && std::isfinite(error); }
  bool may_equal(Approximate other) const {
    return std::abs(value - other.value) <= 4 * (error + other.error);
  }
};

}  // namespace detail

/// A number, or an expression of variables known by what it is where they have fixed values.
///
/// It is held modulo four primes of 61 bits, so that sums, products, quotients, powers and roots of
/// any size are compared exactly (by chance wrong once in 2^240), and as a double with an error
/// bound, which decides where there is no exact form (roots of sums) and where a decimal point asks
/// for rounding. Invalid after a division by 0 and where infinity meets arithmetic.
class MathNumber {
 public:
  static constexpr std::size_t kPoints = 3;
  static constexpr std::size_t kPrimes = detail::kMathPrimes.size();

  bool has_decimal = false;  ///< a decimal point was written: compared to six places
  bool is_percent = false;

  static MathNumber integer(std::int64_t x);
  static MathNumber infinity() {
    MathNumber number = integer(0);
    number.infinite_ = 1;
    return number;
  }
  static MathNumber invalid() {
    MathNumber number;
    number.valid_ = false;
    return number;
  }
  /// A variable of that name, or pi, whose value is known: unlike any other number.
  static MathNumber variable(std::string_view name, std::optional<double> value = {});
  /// A function's value, known to be the same for the same argument and nothing else. The name
  /// has to tell functions apart.
  static MathNumber function(std::string_view name, const MathNumber& argument);

  bool is_valid() const { return valid_; }
  /// The integer that it is, if it is one of at most 62 bits.
  std::optional<std::int64_t> small_integer() const {
    return small_ && small_->denominator == 1 ? std::optional(small_->numerator) : std::nullopt;
  }
  bool is_infinite() const { return infinite_ != 0; }

  friend MathNumber operator-(const MathNumber& x) {
    if (!x.is_infinite()) {
      MathNumber result = integer(-1) * x;
      result.is_percent = x.is_percent;
      return result;
    }
    MathNumber result = x;
    result.infinite_ = -x.infinite_;
    return result;
  }

  friend MathNumber operator+(const MathNumber& a, const MathNumber& b) {
    MathNumber sum =
        combine(a, b, [](auto x, auto y, std::uint64_t modulus) { return (x + y) % modulus; });
    for (std::size_t i = 0; i < kPoints; ++i) sum.at_[i] = a.at_[i] + b.at_[i];
    if (a.small_ && b.small_)
      sum.small_ = fraction(Signed{a.small_->numerator} * b.small_->denominator +
                                Signed{b.small_->numerator} * a.small_->denominator,
                            Signed{a.small_->denominator} * b.small_->denominator);
    sum.monomial_ = sum.rational_;
    return sum;
  }

  friend MathNumber operator*(const MathNumber& a, const MathNumber& b) {
    MathNumber product = combine(a, b, detail::Residue::multiply);
    for (std::size_t i = 0; i < kPoints; ++i) product.at_[i] = a.at_[i] * b.at_[i];
    if (a.small_ && b.small_)
      product.small_ = fraction(Signed{a.small_->numerator} * b.small_->numerator,
                                Signed{a.small_->denominator} * b.small_->denominator);
    return product;
  }

  friend MathNumber operator/(const MathNumber& a, const MathNumber& b) {
    if (b.may_be_zero()) return invalid();
    MathNumber quotient = combine(a, b, [](auto x, auto y, std::uint64_t modulus) {
      return detail::Residue::multiply(x, detail::Residue::inverse(y, modulus), modulus);
    });
    for (std::size_t i = 0; i < kPrimes; ++i)
      if (b.as_exponent_[i] == 0) quotient.exponent_known_ = false;
    for (std::size_t i = 0; i < kPoints; ++i) quotient.at_[i] = a.at_[i] / b.at_[i];
    if (a.small_ && b.small_)
      quotient.small_ = fraction(Signed{a.small_->numerator} * b.small_->denominator,
                                 Signed{a.small_->denominator} * b.small_->numerator);
    return quotient;
  }

  friend MathNumber power(const MathNumber& base, const MathNumber& exponent) {
    if (base.is_zero()) {
      const auto n = exponent.small_integer();
      return n && *n > 0 ? base : invalid();  // 0^0 and 1/0 are not numbers
    }
    const std::optional<Fraction> small = exponent.small_;
    if (small && small->denominator == 2 && base.small_) {
      const std::int64_t above = square_root_within(base.small_->numerator);
      const std::int64_t below = square_root_within(base.small_->denominator);
      if (above > 1 || below > 1) {
        const MathNumber root = integer(above) / integer(below);
        return power(root, integer(small->numerator)) * power(base / (root * root), exponent);
      }
    }
    MathNumber result = combine(base, exponent, [](auto x, auto, auto) { return x; });
    const bool whole = small && small->denominator == 1;
    const bool odd_root = small && small->denominator % 2 != 0;
    for (std::size_t i = 0; i < kPoints; ++i)
      result.at_[i] = detail::Approximate::power(base.at_[i], exponent.at_[i], odd_root,
                                                 small && small->numerator % 2 != 0);
    for (std::size_t i = 0; i < kPrimes; ++i)
      if (!result.raise(i, base, exponent)) result.known_ &= ~(1U << i);
    result.rational_ = base.rational_ && whole;
    result.monomial_ = base.monomial_;
    result.exponent_known_ = base.exponent_known_ && whole;
    result.small_ = whole ? small_power(base.small_, small->numerator) : std::nullopt;
    return result;
  }

  /// Whether two numbers are the same: exactly, or, where one has no exact form, as far as doubles
  /// tell, or to six places and three digits where a decimal point was written.
  bool equals(const MathNumber& other) const;

 private:
  __extension__ using Signed = __int128;
  /// In lowest terms, of less than 62 bits each; denominator > 0.
  struct Fraction {
    std::int64_t numerator = 0, denominator = 1;
  };

  static std::uint64_t prime(std::size_t i) { return detail::kMathPrimes[i]; }
  static std::uint64_t order(std::size_t i) { return detail::kMathPrimes[i] / 2; }

  /// Source: the finaliser of SplitMix64 (Steele, Lea, Flood, 2014).
  static std::uint64_t mix(std::uint64_t x);
  static std::uint64_t mix(std::uint64_t seed, std::string_view name) {
    for (const char c : name) seed = mix(seed ^ static_cast<unsigned char>(c));
    return mix(seed);
  }

  static std::optional<Fraction> fraction(Signed numerator, Signed denominator);
  static std::optional<Fraction> small_power(std::optional<Fraction> base, std::int64_t n);

  /// The largest k whose square divides n, of factors that need not be squares modulo the primes.
  static std::int64_t square_root_within(std::int64_t n);

  /// What both residues and flags of two numbers say of a result.
  template <class Operation>
  static MathNumber combine(const MathNumber& a, const MathNumber& b, Operation&& operation) {
    if (!a.valid_ || !b.valid_ || a.infinite_ != 0 || b.infinite_ != 0) return invalid();
    MathNumber result;
    for (std::size_t i = 0; i < kPrimes; ++i) {
      result.residue_[i] = operation(a.residue_[i], b.residue_[i], prime(i));
      result.as_exponent_[i] = operation(a.as_exponent_[i], b.as_exponent_[i], order(i));
    }
    result.known_ = a.known_ & b.known_;
    result.exponent_known_ = a.exponent_known_ && b.exponent_known_;
    result.rational_ = a.rational_ && b.rational_;
    result.monomial_ = a.monomial_ && b.monomial_;
    result.has_variable_ = a.has_variable_ || b.has_variable_;
    result.has_decimal = a.has_decimal || b.has_decimal;
    return result;
  }

  /// Whether it is 0 for sure.
  bool is_zero() const { return known_ != 0 && may_be_zero(); }
  bool may_be_zero() const;

  /// base^exponent modulo prime i; false where it is not known.
  bool raise(std::size_t i, const MathNumber& base, const MathNumber& exponent);

  bool equals_exactly(const MathNumber& other) const;

  bool equals_rounded(const MathNumber& other) const;

  std::array<std::uint64_t, kPrimes> residue_{};      // modulo the primes
  std::array<std::uint64_t, kPrimes> as_exponent_{};  // modulo q of each prime
  std::array<detail::Approximate, kPoints> at_{};
  std::optional<Fraction> small_;
  unsigned known_ = (1U << kPrimes) - 1;  // bit i: residue_[i] is known
  bool exponent_known_ = true;
  bool rational_ = false;
  bool monomial_ = false;  // a rational number or a product of powers: its roots multiply
  bool has_variable_ = false;
  bool valid_ = true;
  int infinite_ = 0;  // or its sign
};

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/reward/math_number.inl"
#endif
