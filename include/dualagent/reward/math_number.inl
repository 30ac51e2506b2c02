#pragma once

/// Definitions of math_number.hpp; see core/compiled.hpp.

#include "dualagent/reward/math_number.hpp"

namespace dualagent::detail {

DUALAGENT_INLINE Approximate Approximate::power(Approximate base, Approximate exponent,
                                                bool odd_root, bool odd_power) {
  double value = std::pow(base.value, exponent.value);
  if (odd_root && base.value < 0)
    value = std::pow(-base.value, exponent.value) * (odd_power ? -1.0 : 1.0);
  const double size = std::abs(base.value);
  const double relative = size > base.error ? base.error / (size - base.error) : base.error > 0;
  return rounded(value, std::abs(value) * (4 * kUlp + relative * std::abs(exponent.value) +
                                           exponent.error * std::abs(std::log(size + kUlp))));
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE MathNumber MathNumber::integer(std::int64_t x) {
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

DUALAGENT_INLINE MathNumber MathNumber::variable(std::string_view name,
                                                 std::optional<double> value) {
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

DUALAGENT_INLINE MathNumber MathNumber::function(std::string_view name,
                                                 const MathNumber& argument) {
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

DUALAGENT_INLINE bool MathNumber::equals(const MathNumber& other) const {
  if (!valid_ || !other.valid_) return false;
  if (infinite_ != 0 || other.infinite_ != 0) return infinite_ == other.infinite_;
  if (equals_exactly(other)) return true;
  return (has_decimal || other.has_decimal) && !has_variable_ && !other.has_variable_ &&
         equals_rounded(other);
}

DUALAGENT_INLINE std::uint64_t MathNumber::mix(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15U;
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31U);
}

DUALAGENT_INLINE auto MathNumber::fraction(Signed numerator, Signed denominator)
    -> std::optional<Fraction> {
  constexpr Signed kLimit = Signed{1} << 62;
  if (denominator == 0) return std::nullopt;
  if (denominator < 0) numerator = -numerator, denominator = -denominator;
  Signed a = numerator < 0 ? -numerator : numerator, b = denominator;
  while (b != 0) a = std::exchange(b, a % b);
  numerator /= a, denominator /= a;
  if (numerator >= kLimit || numerator <= -kLimit || denominator >= kLimit) return std::nullopt;
  return Fraction{static_cast<std::int64_t>(numerator), static_cast<std::int64_t>(denominator)};
}

DUALAGENT_INLINE auto MathNumber::small_power(std::optional<Fraction> base, std::int64_t n)
    -> std::optional<Fraction> {
  if (!base || n > 64 || n < -64) return std::nullopt;
  if (n < 0) base = fraction(base->denominator, base->numerator), n = -n;
  std::optional<Fraction> result = Fraction{1, 1};
  for (; n > 0 && base && result; --n)
    result = fraction(Signed{result->numerator} * base->numerator,
                      Signed{result->denominator} * base->denominator);
  return base ? result : std::nullopt;
}

DUALAGENT_INLINE std::int64_t MathNumber::square_root_within(std::int64_t n) {
  std::int64_t root = 1;
  n = n < 0 ? -n : n;
  for (std::int64_t k = 79; k < 1000 && k * k <= n; k += 2)
    for (; n % (k * k) == 0; n /= k * k) root *= k;
  return root;
}

DUALAGENT_INLINE bool MathNumber::may_be_zero() const {
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

DUALAGENT_INLINE bool MathNumber::raise(std::size_t i, const MathNumber& base,
                                        const MathNumber& exponent) {
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
      std::uint64_t e = detail::Residue::multiply(detail::Residue::of(numerator, q), inverse_q, q);
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

DUALAGENT_INLINE bool MathNumber::equals_exactly(const MathNumber& other) const {
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

DUALAGENT_INLINE bool MathNumber::equals_rounded(const MathNumber& other) const {
  const double a = at_[0].value, b = other.at_[0].value;
  const double largest = std::max(std::abs(a), std::abs(b));
  if (!(largest < 1e9)) return false;  // where a double still has six places
  const double difference = std::abs(a - b);
  const bool places =
      std::nearbyint(a * 1e6) == std::nearbyint(b * 1e6) || difference <= 1e-9 * largest;
  return places && difference <= 1e-3 * largest;
}

}  // namespace dualagent
