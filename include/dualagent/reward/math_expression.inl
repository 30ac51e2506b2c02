#pragma once

/// Definitions of math_expression.hpp; see core/compiled.hpp.

#include "dualagent/reward/math_expression.hpp"

namespace dualagent::detail {

/// Deepest nesting of brackets and arguments that is read.
inline constexpr std::size_t kMaxMathDepth = 64;

DUALAGENT_INLINE std::optional<MathNumber> MathParser::number() {
  const MathNumber result = sum();
  if (failed_ || at_ != tokens_.size() || !result.is_valid()) return std::nullopt;
  return result;
}

DUALAGENT_INLINE bool MathParser::is_variable(const MathToken& token) {
  static constexpr std::array<std::string_view, 22> kGreek{
      "\\alpha", "\\beta",  "\\gamma",  "\\delta", "\\epsilon", "\\varepsilon", "\\zeta", "\\eta",
      "\\theta", "\\kappa", "\\lambda", "\\mu",    "\\nu",      "\\xi",         "\\rho",  "\\sigma",
      "\\tau",   "\\phi",   "\\varphi", "\\chi",   "\\psi",     "\\omega"};
  return token.kind == MathTokenKind::letter ||
         std::find(kGreek.begin(), kGreek.end(), token.text) != kGreek.end();
}

DUALAGENT_INLINE int MathParser::sign() {
  if (take("+")) return 1;
  if (take("-")) return -1;
  if (plus_minus_ != 0 && take("\\pm")) return plus_minus_;
  if (plus_minus_ != 0 && take("\\mp")) return -plus_minus_;
  return 0;
}

DUALAGENT_INLINE MathNumber MathParser::sum() {
  if (++depth_ > kMaxMathDepth) return fail();
  const int first = sign();
  MathNumber result = first < 0 ? -product() : product();
  while (!failed_) {
    const int next = sign();
    if (next == 0) break;
    const MathNumber term = product();
    result = result + (next < 0 ? -term : term);
  }
  --depth_;
  return result;
}

DUALAGENT_INLINE MathNumber MathParser::product() {
  MathNumber result = factor();
  while (!failed_) {
    if (take("*") || take("\\cdot") || take("\\times"))
      result = result * signed_factor();
    else if (take("/") || take("\\div"))
      result = result / signed_factor();
    else if (begins_primary())
      result = result * factor();
    else
      break;
  }
  return result;
}

DUALAGENT_INLINE bool MathParser::is_function(std::string_view name) {
  static constexpr std::array<std::string_view, 16> kFunctions{
      "\\sin",    "\\cos",    "\\tan",    "\\cot",  "\\sec",  "\\csc",  "\\ln", "\\log",
      "\\arcsin", "\\arccos", "\\arctan", "\\sinh", "\\cosh", "\\tanh", "\\lg", "\\exp"};
  return std::find(kFunctions.begin(), kFunctions.end(), name) != kFunctions.end();
}

DUALAGENT_INLINE bool MathParser::begins_primary() const {
  return is("(") || opens() || is_variable(here()) || is("\\frac") || is("\\binom") ||
         is("\\sqrt") || is("\\pi") || is_function(here().text);
}

DUALAGENT_INLINE MathNumber MathParser::factor() {
  MathNumber result = primary();
  while (!failed_) {
    if (is("^") && take_degree()) {
      if (in_function_ > 0) return fail();  // an angle in degrees is another number
    } else if (take("^")) {
      result = power(result, exponent());
    } else if (take("%")) {
      result = result / MathNumber::integer(100);
      result.is_percent = true;
    } else if (take("!")) {
      result = factorial(result);
    } else if (!take_unit()) {
      break;
    }
  }
  return result;
}

DUALAGENT_INLINE bool MathParser::take_degree() {
  const bool braces = here(1).kind == MathTokenKind::open;
  if (here(braces ? 2 : 1).text != "\\circ" || (braces && !closes(3))) return false;
  at_ += braces ? 4 : 2;
  if ((is("C") || is("F")) && at_ + 1 == tokens_.size()) ++at_;
  return true;
}

DUALAGENT_INLINE bool MathParser::take_unit() {
  if (at_ >= unit_words_ && at_ < tokens_.size()) {  // "12 apples"
    at_ = tokens_.size();
    return true;
  }
  const std::size_t slash = is("/") ? 1 : 0;
  const MathToken& open = here(slash);
  if (open.kind != MathTokenKind::open || !open.is_text) return false;
  std::size_t end = at_ + slash + 1;
  bool words = false;
  for (; end < tokens_.size() && tokens_[end].kind != MathTokenKind::close; ++end) {
    const MathToken& token = tokens_[end];
    if (token.kind == MathTokenKind::word)
      words = words || token.text.size() > 1 || is_short_unit(token.text);
    else if (token.kind == MathTokenKind::open || token.text == "+" || token.text == "=")
      return false;
  }
  if (!words || end == tokens_.size()) return false;
  at_ = end + 1;
  if (take("^")) exponent();
  return true;
}

DUALAGENT_INLINE MathNumber MathParser::primary() {
  if (failed_) return MathNumber::invalid();
  if (++depth_ > kMaxMathDepth) return fail();
  const MathNumber result = primary_within();
  --depth_;
  return result;
}

DUALAGENT_INLINE MathNumber MathParser::primary_within() {
  if (is_digit() || (is(".") && is_digit(1))) return number_or_mixed();
  if (take("(")) {
    const MathNumber inside = sum();
    return closed(inside, take(")"));
  }
  if (opens()) return group();
  if (take("\\frac")) {
    const MathNumber above = argument();
    return failed_ ? above : above / argument();
  }
  if (take("\\binom")) return binomial();
  if (take("\\sqrt")) return root();
  if (take("\\pi")) return MathNumber::variable("\\pi", 3.14159265358979323846);
  if (take("\\infty")) return MathNumber::infinity();
  if (is_function(here().text)) return function();
  if (is_variable(here())) return variable();
  return fail();
}

DUALAGENT_INLINE MathNumber MathParser::group() {
  const bool is_text = here().is_text;
  ++at_;
  if (is_text && is_word() && here().text.size() == 1 && closes(1) && tokens_.size() > 3) {
    const MathNumber letter = MathNumber::variable(here().text);  // the \mathrm{i} of 2\mathrm{i}
    at_ += 2;
    return letter;
  }
  const MathNumber above = sum();
  if (take("\\over")) {
    const MathNumber below = sum();
    return closed(above / below, take("}"));
  }
  return closed(above, take("}"));
}

DUALAGENT_INLINE MathNumber MathParser::root() {
  MathNumber degree = MathNumber::integer(2);
  if (take("[")) {
    degree = sum();
    if (!take("]")) return fail();
  }
  // Whoever writes \sqrt 10 means the root of 10, though TeX sets it as that of 1.
  const MathNumber x = is_digit() ? literal() : argument();
  return failed_ ? x : power(x, MathNumber::integer(1) / degree);
}

DUALAGENT_INLINE MathNumber MathParser::variable() {
  std::string name(tokens_[at_++].text);
  if (take("_")) {
    name += '_';
    const bool braces = opens();
    at_ += braces ? 1 : 0;
    const std::size_t begin = at_;
    while (at_ < tokens_.size() && !opens() && !closes() && (braces || at_ == begin))
      name += tokens_[at_++].text;
    if (at_ == begin || (braces && !take("}"))) return fail();
  }
  while (take("'")) name += '\'';
  return MathNumber::variable(name);
}

DUALAGENT_INLINE MathNumber MathParser::function() {
  std::string name(tokens_[at_++].text);
  MathNumber base;
  std::optional<MathNumber> outer;
  ++in_function_;
  for (;;) {
    if (!outer && take("^")) {
      outer = exponent();
      if (outer->small_integer().value_or(-1) < 0) return fail();  // \sin^{-1} is the inverse
    } else if (name == "\\log" && take("_")) {
      name = "\\log_";
      base = argument();
    } else {
      break;
    }
  }
  MathNumber x = function_argument();
  --in_function_;
  if (failed_) return x;
  if (name == "\\log_")
    x = MathNumber::function("\\log_ of", x) + MathNumber::function("\\log_ base", base);
  const MathNumber value = MathNumber::function(name, x);
  return outer ? power(value, *outer) : value;
}

DUALAGENT_INLINE MathNumber MathParser::function_argument() {
  if (is("(") || opens()) return primary();
  if (is_function(here().text)) return primary();
  MathNumber x = factor();
  while (!failed_ && begins_primary() && !is_function(here().text)) x = x * factor();
  return x;
}

DUALAGENT_INLINE MathNumber MathParser::factorial(const MathNumber& x) {
  const std::optional<std::int64_t> n = x.small_integer();
  if (!n || *n < 0 || *n > kMaxFactorial) return MathNumber::function("!", x);
  MathNumber result = MathNumber::integer(1);
  for (std::int64_t i = 2; i <= *n; ++i) result = result * MathNumber::integer(i);
  return result;
}

DUALAGENT_INLINE MathNumber MathParser::binomial() {
  const MathNumber above = argument();
  if (failed_) return above;
  const MathNumber below = argument();
  const std::optional<std::int64_t> n = above.small_integer(), k = below.small_integer();
  if (!n || !k || *k < 0 || *n < *k || *k > kMaxFactorial)
    return MathNumber::function("\\binom", MathNumber::function("\\binom of", above) +
                                               MathNumber::function("\\binom by", below));
  MathNumber result = MathNumber::integer(1);
  for (std::int64_t i = 1; i <= *k; ++i)
    result = result * MathNumber::integer(*n - *k + i) / MathNumber::integer(i);
  return result;
}

DUALAGENT_INLINE MathNumber MathParser::digits(std::size_t count, MathNumber before) {
  while (count > 0) {
    std::int64_t chunk = 0, scale = 1;
    for (std::size_t i = 0; i < 17 && count > 0; ++i, --count) {
      chunk = chunk * 10 + take_digit();
      scale *= 10;
    }
    before = before * MathNumber::integer(scale) + MathNumber::integer(chunk);
  }
  return before;
}

DUALAGENT_INLINE MathNumber MathParser::literal() {
  MathNumber result = digits(count_digits(), MathNumber::integer(0));
  if (is(".") && !here().spaced && is_digit(1)) {
    ++at_;
    const std::size_t places = count_digits();
    result = digits(places, result) / power_of_ten(static_cast<std::int64_t>(places));
    result.has_decimal = true;
  }
  return scientific(result);
}

DUALAGENT_INLINE MathNumber MathParser::scientific(const MathNumber& mantissa) {
  if ((!is("e") && !is("E")) || here().spaced || here().kind != MathTokenKind::letter)
    return mantissa;
  const bool has_sign = here(1).text == "-" || here(1).text == "+";
  const bool negative = here(1).text == "-";
  if (here(1).spaced || !is_digit(has_sign ? 2 : 1) || here(has_sign ? 2 : 1).spaced)
    return mantissa;
  at_ += has_sign ? 2 : 1;
  const std::size_t count = count_digits();
  if (count > 4) return fail();
  std::int64_t exponent = 0;
  for (std::size_t i = 0; i < count; ++i) exponent = exponent * 10 + take_digit();
  MathNumber result = mantissa * power_of_ten(negative ? -exponent : exponent);
  result.has_decimal = mantissa.has_decimal;
  return result;
}

DUALAGENT_INLINE MathNumber MathParser::number_or_mixed() {
  const bool whole = !is(".");
  const std::size_t length = count_digits();
  const std::size_t begin = at_;
  const MathNumber result = literal();
  if (!whole || at_ != begin + length) return result;
  if (is("\\frac")) {
    const std::size_t before = at_++;
    const auto above = whole_argument(), below = above ? whole_argument() : std::nullopt;
    if (above && below) return mixed(result, *above, *below);
    at_ = before;
  } else if (is_digit() && here().spaced) {
    const auto above = whole_number();
    if (!above || !take("/") || here().spaced) return fail();
    const auto below = whole_number();
    if (!below || is("^")) return fail();
    return mixed(result, *above, *below);
  }
  return result;
}

DUALAGENT_INLINE MathNumber MathParser::mixed(const MathNumber& whole, std::int64_t above,
                                              std::int64_t below) {
  if (above == 0 || above >= below) return fail();  // a sum or a product: nobody can tell
  return whole + MathNumber::integer(above) / MathNumber::integer(below);
}

}  // namespace dualagent::detail
