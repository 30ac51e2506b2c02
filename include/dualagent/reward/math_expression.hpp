#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Mathematics as people and models write it, in LaTeX or plainly, read far enough to tell whether
/// two answers are equal.
namespace dualagent {

/// A number, or an expression of variables known by what it is at a few fixed points.
///
/// Exact while it is a fraction of 64-bit integers; `at` holds it at the points in any case.
struct MathNumber {
  static constexpr std::size_t kPoints = 3;
  bool exact = true;
  std::int64_t numerator = 0, denominator = 1;  ///< of an exact one; denominator > 0
  std::array<double, kPoints> at{};
  bool has_variable = false;
  bool has_decimal = false;  ///< a decimal point was written: compared to six places
  bool is_percent = false;

  static MathNumber fraction(std::int64_t n, std::int64_t d) {
    MathNumber number;
    const std::int64_t divisor = std::gcd(n, d);
    number.numerator = n / divisor * (d < 0 ? -1 : 1);
    number.denominator = d / divisor * (d < 0 ? -1 : 1);
    number.at.fill(static_cast<double>(n) / static_cast<double>(d));
    return number;
  }
  static MathNumber real(double x) {
    MathNumber number;
    number.exact = false;
    number.at.fill(x);
    return number;
  }
};

/// A number, or numbers in brackets: a tuple, an interval, a set, a list.
struct MathValue {
  char open = 0;  ///< '(', '[', '{', or 0 for a bare number or a bare list
  char close = 0;
  std::vector<MathNumber> items;
  bool is_number() const { return open == 0 && items.size() == 1; }
};

namespace detail {

/// Deepest nesting of brackets and arguments that is read.
inline constexpr std::size_t kMaxMathDepth = 64;

__extension__ using Wide = __int128;

inline bool fits(Wide x) { return x > -(Wide{1} << 62) && x < (Wide{1} << 62); }

/// Applies `exact(a, b)`, which gives numerator and denominator, and `real(x, y)` at every point.
template <class Exact, class Real>
MathNumber combine(const MathNumber& a, const MathNumber& b, Exact&& exact, Real&& real) {
  MathNumber result;
  result.exact = false;
  if (a.exact && b.exact) {
    const std::pair<Wide, Wide> f = exact(a, b);
    if (f.second != 0 && fits(f.first) && fits(f.second))
      result = MathNumber::fraction(static_cast<std::int64_t>(f.first),
                                    static_cast<std::int64_t>(f.second));
  }
  for (std::size_t i = 0; i < MathNumber::kPoints; ++i) result.at[i] = real(a.at[i], b.at[i]);
  result.has_variable = a.has_variable || b.has_variable;
  result.has_decimal = a.has_decimal || b.has_decimal;
  return result;
}

inline MathNumber add(const MathNumber& a, const MathNumber& b, int sign = 1) {
  return combine(
      a, b,
      [&](const MathNumber& x, const MathNumber& y) {
        return std::pair{
            Wide{x.numerator} * y.denominator + sign * Wide{y.numerator} * x.denominator,
            Wide{x.denominator} * y.denominator};
      },
      [&](double x, double y) { return x + sign * y; });
}
inline MathNumber multiply(const MathNumber& a, const MathNumber& b) {
  return combine(
      a, b,
      [](const MathNumber& x, const MathNumber& y) {
        return std::pair{Wide{x.numerator} * y.numerator, Wide{x.denominator} * y.denominator};
      },
      [](double x, double y) { return x * y; });
}
inline MathNumber divide(const MathNumber& a, const MathNumber& b) {
  return combine(
      a, b,
      [](const MathNumber& x, const MathNumber& y) {
        return std::pair{Wide{x.numerator} * y.denominator, Wide{x.denominator} * y.numerator};
      },
      [](double x, double y) { return x / y; });
}
inline MathNumber power(const MathNumber& base, const MathNumber& exponent) {
  const bool whole = base.exact && exponent.exact && exponent.denominator == 1 &&
                     std::abs(exponent.numerator) <= 64 && base.numerator != 0;
  MathNumber result = whole ? MathNumber::fraction(1, 1) : MathNumber::real(0);
  for (std::int64_t i = 0; whole && i < std::abs(exponent.numerator); ++i)
    result = exponent.numerator > 0 ? multiply(result, base) : divide(result, base);
  for (std::size_t i = 0; i < MathNumber::kPoints; ++i)
    result.at[i] = std::pow(base.at[i], exponent.at[i]);
  result.has_variable = base.has_variable || exponent.has_variable;
  result.has_decimal = base.has_decimal || exponent.has_decimal;
  return result;
}

inline bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
inline bool is_math_digit(char c) { return c >= '0' && c <= '9'; }

/// Recursive descent over the text. Every function leaves `failed_` set where the text is no
/// mathematics that is read here.
///
///   value   := brackets | sum (',' sum)*
///   sum     := ['+' | '-'] product (('+' | '-') product)*
///   product := power (['*' | '/' | \cdot | \times | \div] power)*
///   power   := primary ['^' argument] ['%' | degree | unit]
class MathParser {
 public:
  explicit MathParser(std::string_view text)
      : text_(text),
        unit_words_(begin_of_last_words(text)),
        has_brackets_(text.find_first_of("([") != std::string_view::npos ||
                      text.find("\\{") != std::string_view::npos) {}

  std::optional<MathValue> value() {
    MathValue result;
    skip_space();
    if (opens_brackets()) {
      result = brackets();
    } else {
      result.items = list();
    }
    skip_space();
    if (failed_ || at_ != text_.size()) return std::nullopt;
    return result;
  }

 private:
  // Characters.

  char here(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  bool starts(std::string_view word) const { return text_.substr(at_).starts_with(word); }
  /// A command ends where its letters end: \pi is not the beginning of \pitchfork.
  bool starts_command(std::string_view name) const {
    return starts(name) && !is_letter(here(name.size()));
  }
  bool take(std::string_view word) {
    if (!starts(word)) return false;
    at_ += word.size();
    return true;
  }
  bool take_command(std::string_view name) {
    if (!starts_command(name)) return false;
    at_ += name.size();
    return true;
  }
  void skip_space() {
    while (take(" ") || take("\t") || take("\n") || take("\r") || take("~") || take("\\ ") ||
           take("\\!") || take("\\,") || take("\\;") || take("\\:") || take_command("\\quad") ||
           take_command("\\left") || take_command("\\right") || take("\\$") || take("$")) {
    }
  }
  MathNumber fail() {
    failed_ = true;
    return {};
  }

  /// Four letters in a row are a word, not a product of variables.
  bool begins_word() const {
    if (at_ > 0 && is_letter(text_[at_ - 1])) return false;
    return is_letter(here(1)) && is_letter(here(2)) && is_letter(here(3));
  }
  /// Where the text goes on with nothing but words of two letters and more, spaces and full stops.
  static std::size_t begin_of_last_words(std::string_view text) {
    std::size_t begin = text.size(), letters = 0;
    for (std::size_t i = text.size(); i-- > 0;) {
      if (is_letter(text[i])) {
        ++letters;
      } else if ((text[i] == ' ' || text[i] == '.') && letters != 1) {
        begin = letters > 1 ? i + 1 : begin;
        letters = 0;
      } else {
        break;
      }
    }
    return begin;
  }

  // Brackets and lists.

  bool opens_brackets() const {
    if (!starts("\\{") && here() != '[' && here() != '(') return false;
    return brackets_end_the_text();
  }
  /// Whether the brackets that open here close at the end and hold a comma or are no parentheses.
  bool brackets_end_the_text() const {
    std::size_t depth = 0;
    bool comma = false;
    for (std::size_t i = at_; i < text_.size(); ++i) {
      const char c = text_[i];
      if (c == '(' || c == '[' || c == '{') ++depth;
      if ((c == ')' || c == ']' || c == '}') && depth > 0 && --depth == 0) {
        const bool ends = text_.find_first_not_of(" \t\r\n$.", i + 1) == std::string_view::npos;
        return ends && (comma || here() != '(');
      }
      comma = comma || (c == ',' && depth == 1);
    }
    return false;
  }
  MathValue brackets() {
    MathValue result;
    result.open = take("\\{") ? '{' : text_[at_++];
    skip_space();
    if (starts("\\}")) {
      failed_ = true;
    } else {
      result.items = list();
    }
    skip_space();
    if (take("\\}")) {
      result.close = '}';
    } else if (here() == ')' || here() == ']') {
      result.close = text_[at_++];
    } else {
      failed_ = true;
    }
    failed_ = failed_ || (result.open == '{') != (result.close == '}');
    while (take(".") || take("$") || take(" ")) {
    }
    return result;
  }
  std::vector<MathNumber> list() {
    std::vector<MathNumber> items{sum()};
    for (skip_space(); !failed_ && take(","); skip_space()) items.push_back(sum());
    return items;
  }

  // Expressions.

  MathNumber sum() {
    if (++depth_ > kMaxMathDepth) return fail();
    skip_space();
    const bool negative = here() == '-';
    if (negative || here() == '+') ++at_;
    MathNumber result = product();
    if (negative) result = negate(result);
    for (skip_space(); !failed_ && (here() == '+' || here() == '-'); skip_space()) {
      const int sign = text_[at_++] == '+' ? 1 : -1;
      result = add(result, product(), sign);
    }
    --depth_;
    return result;
  }

  static MathNumber negate(const MathNumber& x) {
    MathNumber result = multiply(MathNumber::fraction(-1, 1), x);
    result.is_percent = x.is_percent;
    return result;
  }

  MathNumber product() {
    MathNumber result = factor();
    for (;;) {
      skip_space();
      if (failed_) return result;
      if (take("*") || take_command("\\cdot") || take_command("\\times"))
        result = multiply(result, signed_factor());
      else if (take("/") || take_command("\\div"))
        result = divide(result, signed_factor());
      else if (begins_primary())
        result = multiply(result, factor());
      else
        return result;
    }
  }
  MathNumber signed_factor() {
    skip_space();
    const bool negative = take("-");
    const MathNumber x = factor();
    return negative ? negate(x) : x;
  }
  /// What may stand right behind a factor, as in 2x or 3(x + 1); two numbers may not.
  bool begins_primary() const {
    return here() == '(' || is_letter(here()) || starts("\\frac") || starts("\\dfrac") ||
           starts("\\tfrac") || starts("\\sqrt") || starts_command("\\pi") ||
           (here() == '{' && at_ + 1 < text_.size());
  }

  MathNumber factor() {
    skip_space();
    const bool number = is_math_digit(here()) || here() == '.';
    MathNumber result = primary();
    if (number && result.exact && !result.has_decimal && starts_fraction())
      result = add(result, primary());  // a mixed number
    for (;;) {
      if (take_command("^\\circ") || take("^{\\circ}")) continue;
      if (take("^")) {
        result = power(result, argument());
      } else if (take("\\%") || take("%")) {
        result = divide(result, MathNumber::fraction(100, 1));
        result.is_percent = true;
      } else if (!take_unit()) {
        return result;
      }
      if (failed_) return result;
    }
  }
  bool starts_fraction() const {
    return starts("\\frac") || starts("\\dfrac") || starts("\\tfrac");
  }

  /// \text{ cm}^2 and the like, behind a number: says nothing about its value.
  bool take_unit() {
    const std::size_t before = at_;
    skip_space();
    for (const std::string_view name : {"\\text", "\\mathrm", "\\mbox", "\\textrm", "\\textbf"}) {
      if (!starts(std::string(name) + "{")) continue;
      at_ += name.size() + 1;
      while (at_ < text_.size() && here() != '}') ++at_;
      if (!take("}")) failed_ = true;
      if (take("^")) argument();
      return true;
    }
    if (at_ >= unit_words_ && at_ < text_.size() && at_ > before) {  // "12 apples"
      at_ = text_.size();
      return true;
    }
    at_ = before;
    return false;
  }
  /// {...}, or one character or command.
  MathNumber argument() {
    skip_space();
    if (take("{")) {
      const MathNumber inside = sum();
      skip_space();
      return take("}") ? inside : fail();
    }
    if (is_math_digit(here())) return MathNumber::fraction(text_[at_++] - '0', 1);
    return primary();
  }

  MathNumber primary() {
    if (failed_) return {};
    if (++depth_ > kMaxMathDepth) return fail();
    const MathNumber result = primary_within();
    --depth_;
    return result;
  }
  MathNumber primary_within() {
    if (is_math_digit(here()) || (here() == '.' && is_math_digit(here(1)))) return number();
    if (take("(")) {
      const MathNumber inside = sum();
      skip_space();
      return take(")") ? inside : fail();
    }
    if (here() == '{') return argument();
    if (take("\\frac") || take("\\dfrac") || take("\\tfrac")) {
      const MathNumber above = argument();
      return failed_ ? above : divide(above, argument());
    }
    if (take("\\sqrt")) return root();
    if (take_command("\\pi")) return MathNumber::real(3.14159265358979323846);
    if (take_command("\\infty")) return MathNumber::real(HUGE_VAL);
    for (const std::string_view name : {"\\text{", "\\mathrm{", "\\mbox{", "\\textbf{"})
      if (take(name)) {
        const MathNumber inside = sum();
        skip_space();
        return take("}") ? inside : fail();
      }
    if (is_letter(here())) return begins_word() ? fail() : variable(text_[at_++]);
    return fail();
  }

  MathNumber root() {
    MathNumber degree = MathNumber::fraction(2, 1);
    skip_space();
    if (take("[")) {
      degree = sum();
      skip_space();
      if (!take("]")) return fail();
    }
    return power(argument(), divide(MathNumber::fraction(1, 1), degree));
  }

  /// Digits with separators of thousands and a decimal point; exact while it fits.
  MathNumber number() {
    Wide digits = 0, scale = 1;
    double approximate = 0, place = 1;
    bool point = false, whole = true;
    std::size_t group = 0;  // digits since the beginning or the last separator
    for (;; ++at_) {
      if (is_math_digit(here())) {
        whole = whole && fits(digits * 10 + 9) && fits(scale * 10);
        if (whole) digits = digits * 10 + (here() - '0');
        if (whole && point) scale *= 10;
        approximate = approximate * 10 + (here() - '0');
        if (point) place *= 10;
        ++group;
      } else if (!point && here() == '.' && !(at_ + 1 == text_.size())) {
        if (!is_math_digit(here(1)) && here(1) != '\0') break;
        point = true;
      } else if (!point && group <= 3 && separator_of_thousands() > 0) {
        at_ += separator_of_thousands() - 1;
        group = 0;
      } else {
        break;
      }
    }
    if (here() == '.' && text_.find_first_not_of(" $.", at_) == std::string_view::npos)
      at_ = text_.size();  // the end of a sentence
    MathNumber result = whole ? MathNumber::fraction(static_cast<std::int64_t>(digits),
                                                     static_cast<std::int64_t>(scale))
                              : MathNumber::real(approximate / place);
    result.has_decimal = point;
    return scientific(result);
  }
  /// Length of a comma, {,} or \, between groups of digits here; 0 if there is none. Inside
  /// brackets a comma parts numbers.
  std::size_t separator_of_thousands() const {
    const auto three_digits = [&](std::size_t from) {
      return is_math_digit(here(from)) && is_math_digit(here(from + 1)) &&
             is_math_digit(here(from + 2)) && !is_math_digit(here(from + 3));
    };
    if (starts("{,}") && three_digits(3)) return 3;
    if (starts("\\,") && three_digits(2)) return 2;
    if (here() == ',' && three_digits(1) && !has_brackets_) return 1;
    return 0;
  }
  /// 12e3 and 1.5E-4, where no letter follows.
  MathNumber scientific(MathNumber mantissa) {
    if (here() != 'e' && here() != 'E') return mantissa;
    const std::size_t sign = here(1) == '-' || here(1) == '+' ? 1 : 0;
    std::size_t end = at_ + 1 + sign;
    std::int64_t exponent = 0;
    for (; end < text_.size() && is_math_digit(text_[end]) && exponent < 1000; ++end)
      exponent = exponent * 10 + (text_[end] - '0');
    if (end == at_ + 1 + sign) return mantissa;
    if (here(1) == '-') exponent = -exponent;
    at_ = end;
    const MathNumber ten = MathNumber::fraction(10, 1);
    return multiply(mantissa, power(ten, MathNumber::fraction(exponent, 1)));
  }

  /// Fixed numbers for each letter, of different signs and sizes.
  static MathNumber variable(char name) {
    MathNumber result;
    result.exact = false;
    result.has_variable = true;
    const double seed = name * 0.7390851332;
    result.at = {0.3 + std::fmod(seed, 1.0), 1.1 + std::fmod(seed * 3.7, 2.0),
                 -0.4 - std::fmod(seed * 7.3, 1.5)};
    return result;
  }

  std::string_view text_;
  std::size_t unit_words_;  // where the words begin that end the text
  bool has_brackets_;       // a comma may part numbers
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  bool failed_ = false;
};

inline bool nearly_equal(double x, double y) {
  if (std::isnan(x) && std::isnan(y)) return true;
  if (x == y) return true;
  if (!std::isfinite(x) || !std::isfinite(y)) return false;
  return std::abs(x - y) <= 1e-9 * std::max({1.0, std::abs(x), std::abs(y)});
}

inline bool same_number(const MathNumber& a, const MathNumber& b) {
  if (a.has_variable || b.has_variable) {
    for (std::size_t i = 0; i < MathNumber::kPoints; ++i)
      if (!nearly_equal(a.at[i], b.at[i])) return false;
    return true;
  }
  if (a.exact && b.exact && !a.has_decimal && !b.has_decimal)
    return a.numerator == b.numerator && a.denominator == b.denominator;
  const auto rounded = [](double x) { return std::nearbyint(x * 1e6); };
  return nearly_equal(a.at[0], b.at[0]) || rounded(a.at[0]) == rounded(b.at[0]);
}

}  // namespace detail

/// Reads a text as mathematics; nothing if it is not, or is nested deeper than 64.
///
/// Numbers (decimals, thousands, 12e3, percent, mixed numbers), \frac, \sqrt, \pi, + - * / ^,
/// variables of one letter, tuples, intervals, sets and lists. Units and degree signs are passed
/// over. Time: linear.
inline std::optional<MathValue> parse_math(std::string_view text) {
  return detail::MathParser(text).value();
}

/// Whether two numbers are the same: exactly where both are fractions, at fixed points where there
/// are variables, else to six places. A percentage equals its number and its hundredth.
inline bool equal_numbers(const MathNumber& a, const MathNumber& b) {
  if (detail::same_number(a, b)) return true;
  const MathNumber hundred = MathNumber::fraction(100, 1);
  if (a.is_percent && !b.is_percent) return detail::same_number(detail::multiply(a, hundred), b);
  if (b.is_percent && !a.is_percent) return detail::same_number(a, detail::multiply(b, hundred));
  return false;
}

/// Whether two values are the same: brackets and items alike, in a set in any order.
inline bool equal_values(const MathValue& a, const MathValue& b) {
  if (a.open != b.open || a.close != b.close || a.items.size() != b.items.size()) return false;
  if (a.open != '{' && a.open != 0)
    return std::equal(a.items.begin(), a.items.end(), b.items.begin(), equal_numbers);
  if (a.items.size() > 64) return false;  // pairing is quadratic
  return std::is_permutation(a.items.begin(), a.items.end(), b.items.begin(), equal_numbers);
}

}  // namespace dualagent
