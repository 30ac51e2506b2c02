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
  static Approximate power(Approximate base, Approximate exponent, bool odd_root, bool odd_power) {
    double value = std::pow(base.value, exponent.value);
    if (odd_root && base.value < 0)
      value = std::pow(-base.value, exponent.value) * (odd_power ? -1.0 : 1.0);
    const double size = std::abs(base.value);
    const double relative = size > base.error ? base.error / (size - base.error) : base.error > 0;
    return rounded(value, std::abs(value) * (4 * kUlp + relative * std::abs(exponent.value) +
                                             exponent.error * std::abs(std::log(size + kUlp))));
  }
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

  static MathNumber integer(std::int64_t x) {
    MathNumber number;
    number.small_ = Fraction{x, 1};
    number.rational_ = number.monomial_ = true;
    for (std::size_t i = 0; i < kPrimes; ++i) {
      number.residue_[i] = detail::Residue::of(x, prime(i));
      number.as_exponent_[i] = detail::Residue::of(x, order(i));
    }
    const double value = static_cast<double>(x);
    number.at_.fill({value, std::abs(value) * detail::Approximate::kUlp});
    return number;
  }
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
  static MathNumber variable(std::string_view name, std::optional<double> value = {}) {
    MathNumber number;
    number.monomial_ = true;
    number.has_variable_ = !value;
    const std::uint64_t seed = mix(0, name);
    for (std::size_t i = 0; i < kPrimes; ++i) {
      const std::uint64_t root = mix(seed + i) % (prime(i) - 1) + 1;
      number.residue_[i] = detail::Residue::multiply(root, root, prime(i));
      number.as_exponent_[i] = mix(seed + kPrimes + i) % order(i);
    }
    const double fraction = static_cast<double>(seed >> 11U) * 0x1p-53;
    const std::array<double, kPoints> at{0.3 + fraction, 1.4 + 2 * fraction, -0.4 - 1.5 * fraction};
    for (std::size_t i = 0; i < kPoints; ++i) {
      const double x = value.value_or(at[i]);
      number.at_[i] = {x, std::abs(x) * detail::Approximate::kUlp};
    }
    return number;
  }
  /// A function's value, known to be the same for the same argument and nothing else. The name
  /// has to tell functions apart.
  static MathNumber function(std::string_view name, const MathNumber& argument) {
    MathNumber number;
    if (!argument.valid_ || argument.infinite_ != 0) return invalid();
    number.exponent_known_ = false;
    number.known_ = argument.known_;
    number.has_variable_ = true;  // compared exactly
    for (std::size_t i = 0; i < kPrimes; ++i)
      number.residue_[i] = mix(argument.residue_[i] + i, name) % prime(i);
    number.at_.fill({std::numeric_limits<double>::quiet_NaN(), 0});
    return number;
  }

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
  bool equals(const MathNumber& other) const {
    if (!valid_ || !other.valid_) return false;
    if (infinite_ != 0 || other.infinite_ != 0) return infinite_ == other.infinite_;
    if (equals_exactly(other)) return true;
    return (has_decimal || other.has_decimal) && !has_variable_ && !other.has_variable_ &&
           equals_rounded(other);
  }

 private:
  __extension__ using Signed = __int128;
  /// In lowest terms, of less than 62 bits each; denominator > 0.
  struct Fraction {
    std::int64_t numerator = 0, denominator = 1;
  };

  static std::uint64_t prime(std::size_t i) { return detail::kMathPrimes[i]; }
  static std::uint64_t order(std::size_t i) { return detail::kMathPrimes[i] / 2; }

  /// Source: the finaliser of SplitMix64 (Steele, Lea, Flood, 2014).
  static std::uint64_t mix(std::uint64_t x) {
    x += 0x9E3779B97F4A7C15U;
    x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
    x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
    return x ^ (x >> 31U);
  }
  static std::uint64_t mix(std::uint64_t seed, std::string_view name) {
    for (const char c : name) seed = mix(seed ^ static_cast<unsigned char>(c));
    return mix(seed);
  }

  static std::optional<Fraction> fraction(Signed numerator, Signed denominator) {
    constexpr Signed kLimit = Signed{1} << 62;
    if (denominator == 0) return std::nullopt;
    if (denominator < 0) numerator = -numerator, denominator = -denominator;
    Signed a = numerator < 0 ? -numerator : numerator, b = denominator;
    while (b != 0) a = std::exchange(b, a % b);
    numerator /= a, denominator /= a;
    if (numerator >= kLimit || numerator <= -kLimit || denominator >= kLimit) return std::nullopt;
    return Fraction{static_cast<std::int64_t>(numerator), static_cast<std::int64_t>(denominator)};
  }
  static std::optional<Fraction> small_power(std::optional<Fraction> base, std::int64_t n) {
    if (!base || n > 64 || n < -64) return std::nullopt;
    if (n < 0) base = fraction(base->denominator, base->numerator), n = -n;
    std::optional<Fraction> result = Fraction{1, 1};
    for (; n > 0 && base && result; --n)
      result = fraction(Signed{result->numerator} * base->numerator,
                        Signed{result->denominator} * base->denominator);
    return base ? result : std::nullopt;
  }

  /// The largest k whose square divides n, of factors that need not be squares modulo the primes.
  static std::int64_t square_root_within(std::int64_t n) {
    std::int64_t root = 1;
    n = n < 0 ? -n : n;
    for (std::int64_t k = 79; k < 1000 && k * k <= n; k += 2)
      for (; n % (k * k) == 0; n /= k * k) root *= k;
    return root;
  }

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
  bool may_be_zero() const {
    for (std::size_t i = 0; i < kPrimes; ++i)
      if ((known_ >> i & 1U) != 0) return residue_[i] == 0;
    bool finite = false;
    for (const detail::Approximate& x : at_) {
      if (!x.is_finite()) continue;
      if (std::abs(x.value) <= x.error) return true;
      finite = true;
    }
    return !finite;
  }

  /// base^exponent modulo prime i; false where it is not known.
  bool raise(std::size_t i, const MathNumber& base, const MathNumber& exponent) {
    const std::uint64_t p = prime(i), q = order(i);
    if (exponent.small_) {
      const auto [numerator, denominator] = *exponent.small_;
      const std::uint64_t n = detail::Residue::of(numerator, p - 1);
      if (denominator == 1) {
        residue_[i] = detail::Residue::power(base.residue_[i], n, p);
        as_exponent_[i] =
            detail::Residue::power(base.as_exponent_[i], detail::Residue::of(numerator, q - 1), q);
        return true;
      }
      if (denominator % 2 != 0) {  // a root that every number has, and only one
        const std::uint64_t inverse_q =
            detail::Residue::inverse(detail::Residue::of(denominator, q), q);
        // The exponent modulo p - 1 = 2 q: that modulo q, made odd or even as its numerator is.
        std::uint64_t e =
            detail::Residue::multiply(detail::Residue::of(numerator, q), inverse_q, q);
        if ((e & 1U) != (static_cast<std::uint64_t>(numerator) & 1U)) e += q;
        residue_[i] = detail::Residue::power(base.residue_[i], e, p);
        return true;
      }
    }
    // Squares alone have one root among them; of a sum it is not known which sign is positive.
    if (!base.monomial_ || !exponent.exponent_known_ ||
        detail::Residue::power(base.residue_[i], q, p) != 1)
      return false;
    residue_[i] = detail::Residue::power(base.residue_[i], exponent.as_exponent_[i], p);
    return true;
  }

  bool equals_exactly(const MathNumber& other) const {
    const unsigned known = known_ & other.known_;
    for (std::size_t i = 0; i < kPrimes; ++i)
      if ((known >> i & 1U) != 0 && residue_[i] != other.residue_[i]) return false;
    bool seen = false;
    for (std::size_t i = 0; i < kPoints; ++i) {
      const detail::Approximate &a = at_[i], &b = other.at_[i];
      if (!a.is_finite() || !b.is_finite()) continue;
      if (!a.may_equal(b)) return false;
      seen = seen || (a.error < 1e-9 && b.error < 1e-9);
    }
    return known != 0 || seen;
  }

  bool equals_rounded(const MathNumber& other) const {
    const double a = at_[0].value, b = other.at_[0].value;
    const double largest = std::max(std::abs(a), std::abs(b));
    if (!(largest < 1e9)) return false;  // where a double still has six places
    const double difference = std::abs(a - b);
    const bool places =
        std::nearbyint(a * 1e6) == std::nearbyint(b * 1e6) || difference <= 1e-9 * largest;
    return places && difference <= 1e-3 * largest;
  }

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
