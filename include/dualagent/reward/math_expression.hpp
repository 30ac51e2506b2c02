#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "dualagent/core/compiled.hpp"
#include "dualagent/reward/math_cursor.hpp"
#include "dualagent/reward/math_number.hpp"
#include "dualagent/reward/math_tokens.hpp"
#include "dualagent/reward/math_units.hpp"

namespace dualagent::detail {

/// Reads one expression by recursive descent. Every function leaves `failed_` set where the tokens
/// are not mathematics that is read here.
///
///   sum      := [sign] product (sign product)*
///   product  := factor (['*' | '/' | \cdot | \times | \div] factor)*
///   factor   := primary ('^' exponent | '!' | '%' | degree | unit)*
class MathParser : private MathCursor {
 public:
  /// `plus_minus` is the sign that \pm stands for; without one it is not read.
  explicit MathParser(std::span<const MathToken> tokens, int plus_minus = 0)
      : MathCursor(tokens), plus_minus_(plus_minus), unit_words_(begin_of_last_words(tokens)) {}

  std::optional<MathNumber> number();

  /// Whether a token is a letter, Latin or Greek, that stands for a number; \pi does not.
  static bool is_variable(const MathToken& token);

  using MathCursor::looks;

 private:
  MathNumber fail() {
    failed_ = true;
    return MathNumber::invalid();
  }
  MathNumber closed(const MathNumber& inside, bool closed) { return closed ? inside : fail(); }

  // Expressions.

  /// The sign here, which is passed over; 0 if there is none.
  int sign();

  MathNumber sum();

  MathNumber product();
  MathNumber signed_factor() {
    const bool negative = take("-");
    const MathNumber x = factor();
    return negative ? -x : x;
  }

  static bool is_function(std::string_view name);
  /// What may stand right behind a factor, as in 2x or 3(x + 1); two numbers may not.
  bool begins_primary() const;

  MathNumber factor();

  /// ^\circ, with or without braces, and the scale of a temperature.
  bool take_degree();

  /// \text{ cm}^2 and the like, behind a number: says nothing about its value.
  bool take_unit();

  /// What stands behind ^: a number of any length, with a sign, a group, or one letter.
  MathNumber exponent() {
    const bool negative = take("-");
    const MathNumber x = is_digit() ? literal() : argument();
    return negative ? -x : x;
  }
  /// {...}, or one digit, letter or command.
  MathNumber argument() {
    if (is_digit()) return MathNumber::integer(take_digit());
    return primary();
  }

  MathNumber primary();
  MathNumber primary_within();

  MathNumber group();

  MathNumber root();

  MathNumber variable();

  // Functions.

  MathNumber function();
  /// (...) or {...}, or the product without signs that follows, as in \sin 2x.
  MathNumber function_argument();

  /// Of numbers up to this, factorials and binomials are computed.
  static constexpr std::int64_t kMaxFactorial = 100;

  static MathNumber factorial(const MathNumber& x);
  MathNumber binomial();

  // Numbers.

  /// Reads `count` digits that continue the number `before`.
  MathNumber digits(std::size_t count, MathNumber before);

  /// Digits with a decimal point, and 12e3.
  MathNumber literal();
  static MathNumber power_of_ten(std::int64_t exponent) {
    return power(MathNumber::integer(10), MathNumber::integer(exponent));
  }
  MathNumber scientific(const MathNumber& mantissa);

  /// A number, and the proper fraction behind a whole one, as in 3 \frac{2}{3} and 3 2/3.
  MathNumber number_or_mixed();
  MathNumber mixed(const MathNumber& whole, std::int64_t above, std::int64_t below);
  int plus_minus_;
  std::size_t unit_words_;  // where the words begin that end the text
  std::size_t depth_ = 0;
  std::size_t in_function_ = 0;
  bool failed_ = false;
};

}  // namespace dualagent::detail

#ifndef DUALAGENT_COMPILED
#include "dualagent/reward/math_expression.inl"
#endif
