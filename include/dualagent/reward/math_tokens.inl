#pragma once

/// Definitions of math_tokens.hpp; see core/compiled.hpp.

#include "dualagent/reward/math_tokens.hpp"

namespace dualagent::detail {

DUALAGENT_INLINE bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

inline bool is_math_digit(char c) { return c >= '0' && c <= '9'; }

DUALAGENT_INLINE MathTokenizer::MathTokenizer(std::string_view text)
    : text_(text),
      has_brackets_(text.find_first_of("([") != std::string_view::npos ||
                    text.find("\\{") != std::string_view::npos) {}

DUALAGENT_INLINE void MathTokenizer::next() {
  const char c = here();
  if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '$' || c == '~') return skip(1);
  if (starts("\u00A0")) return skip(2);
  if (starts("\u202F") || starts("\u2009")) return skip(3);
  if (c == '\\') return command();
  if (is_math_digit(c)) return digit();
  if (is_letter(c)) return letters();
  if (c == '.') return point();
  if (c == '{') return open(1, false);
  if (c == '}') return close();
  if (c == ';') return push(MathTokenKind::symbol, 1, ",");
  if (starts("\u00B0")) {
    push(MathTokenKind::symbol, 0, "^");
    return push(MathTokenKind::command, 2, "\\circ");
  }
  for (const Spelling& sign : kSigns)
    if (c == sign.written[0] && starts(sign.written))
      return push(kind_of(sign.name), sign.written.size(), sign.name);
  push(MathTokenKind::symbol, 1);
}

DUALAGENT_INLINE void MathTokenizer::digit() {
  if (!continues_number()) {
    group_ = 0;
    has_point_ = false;
  }
  push(MathTokenKind::digit, 1);
  ++group_;
  if (here() == '.') return point();
  if (const std::size_t separator = thousands(); separator > 0) {
    at_ += separator;
    group_ = 0;
  }
}

DUALAGENT_INLINE void MathTokenizer::point() {
  has_point_ = is_math_digit(here(1));
  if (has_point_ || !continues_number()) return push(MathTokenKind::symbol, 1);
  push(MathTokenKind::symbol, 1);
  spaced_ = true;  // a full stop
}

DUALAGENT_INLINE std::size_t MathTokenizer::thousands() const {
  const auto three_digits = [&](std::size_t from) {
    return is_math_digit(here(from)) && is_math_digit(here(from + 1)) &&
           is_math_digit(here(from + 2)) && !is_math_digit(here(from + 3));
  };
  if (group_ > 3 || has_point_) return 0;
  if (starts("{,}") && three_digits(3)) return 3;
  if (starts("\\,") && three_digits(2)) return 2;
  if (here() == ',' && three_digits(1) && !has_brackets_) return 1;
  return 0;
}

DUALAGENT_INLINE void MathTokenizer::letters() {
  std::size_t length = 1;
  while (is_letter(here(length))) ++length;
  const std::string_view run = text_.substr(at_, length);
  if (const std::string_view name = name_of(kPlainCommands, run); !name.empty())
    return push(kind_of(name), length, name);
  if (length > 2 || in_text_ > 0) return push(MathTokenKind::word, length);
  for (std::size_t i = 0; i < length; ++i) push(MathTokenKind::letter, 1);
}

DUALAGENT_INLINE void MathTokenizer::command() {
  if (!is_letter(here(1))) {
    switch (here(1)) {
      case '(':
      case ')':
      case '[':
      case ']':
      case ' ':
      case ',':
      case ';':
      case ':':
      case '!':
      case '$':
      case '\n':
      case '\0':
        return skip(here(1) == '\0' ? 1 : 2);
      case '%':
        return push(MathTokenKind::symbol, 2, "%");
      default:
        return push(MathTokenKind::command, 2);
    }
  }
  std::size_t length = 1;
  while (is_letter(here(length))) ++length;
  const std::string_view name = text_.substr(at_, length);
  if (holds(kPassedOver, name)) return skip(length);
  const bool upright = holds(kTextFonts, name);
  if (upright || holds(kMathFonts, name)) {
    skip(length);
    while (here() == ' ') ++at_;
    if (here() == '{') open(1, upright);
    return;
  }
  if (name == "\\begin" || name == "\\end") return environment(length);
  const std::string_view other = name_of(kCommands, name);
  push(other.empty() ? MathTokenKind::command : kind_of(other), length, other);
}

DUALAGENT_INLINE void MathTokenizer::environment(std::size_t length) {
  constexpr std::size_t kLongestName = 20;
  const std::size_t close = text_.substr(at_, length + kLongestName).find('}');
  if (close == std::string_view::npos) return push(MathTokenKind::command, length);
  const std::string_view whole = text_.substr(at_, close + 1);
  std::string_view name;
  if (whole == "\\begin{bmatrix}") name = "\\begin{pmatrix}";
  if (whole == "\\end{bmatrix}") name = "\\end{pmatrix}";
  push(MathTokenKind::command, whole.size(), name);
}

DUALAGENT_INLINE void MathTokenizer::open(std::size_t length, bool is_text) {
  opened_.push_back(tokens_.size());
  push(MathTokenKind::open, length, "{");
  tokens_.back().is_text = is_text;
  in_text_ += is_text ? 1 : 0;
}

DUALAGENT_INLINE void MathTokenizer::close() {
  push(MathTokenKind::close, 1);
  if (opened_.empty()) return;
  const std::size_t begin = opened_.back();
  opened_.pop_back();
  in_text_ -= tokens_[begin].is_text ? 1 : 0;
  if (tokens_[begin].is_text && tokens_.size() == begin + 3 && tokens_[begin + 1].text == ",") {
    tokens_.resize(begin);
    tokens_.push_back({MathTokenKind::symbol, ",", true});
  }
}

DUALAGENT_INLINE void MathTokenizer::drop_full_stops() {
  std::size_t end = tokens_.size();
  while (end > 0 && (tokens_[end - 1].kind == MathTokenKind::close)) --end;
  std::size_t begin = end;
  while (begin > 0 && tokens_[begin - 1].text == ".") --begin;
  tokens_.erase(tokens_.begin() + static_cast<std::ptrdiff_t>(begin),
                tokens_.begin() + static_cast<std::ptrdiff_t>(end));
}

/// Whether two tokens mean the same where neither is read as mathematics: words without case.
inline bool same_token(const MathToken& a, const MathToken& b) {
  const auto is_wordlike = [](const MathToken& token) {
    return token.kind == MathTokenKind::word || token.kind == MathTokenKind::letter;
  };
  if (a.kind == MathTokenKind::digit && a.spaced != b.spaced) return false;
  if (!is_wordlike(a) || !is_wordlike(b) ||
      (a.kind != MathTokenKind::word && b.kind != MathTokenKind::word))
    return a.text == b.text;
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.text.begin(), a.text.end(), b.text.begin(), b.text.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

/// The tokens without braces that change nothing: those of fonts and around one token; two letters
/// side by side are one token. Of a digit, `spaced` then says that a number begins with it.
inline std::vector<MathToken> without_needless_braces(std::span<const MathToken> tokens) {
  std::vector<MathToken> result;
  std::vector<std::size_t> opened;  // indices into result; removed tokens have no text
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    MathToken token = tokens[i];
    if (token.kind == MathTokenKind::digit) {
      const bool joined = i > 0 && !token.spaced &&
                          (tokens[i - 1].kind == MathTokenKind::digit || tokens[i - 1].text == ".");
      const bool subscript = joined && i > 1 && tokens[i - 2].text == "_";
      token.spaced = !joined || subscript;
    }
    if (token.kind == MathTokenKind::letter && !token.spaced && i > 0 &&
        tokens[i - 1].kind == MathTokenKind::letter) {  // a word of two letters
      result.back().text = {result.back().text.data(), 2};
      continue;
    }
    result.push_back(token);
    if (token.kind == MathTokenKind::open) opened.push_back(result.size() - 1);
    if (token.kind != MathTokenKind::close || opened.empty()) continue;
    MathToken& open = result[opened.back()];
    const std::string_view before = opened.back() == 0 ? "" : result[opened.back() - 1].text;
    const bool is_argument = before.starts_with('\\') || before == "^" || before == "_";
    if ((open.is_text && !is_argument) || result.size() - opened.back() <= 3)
      open.text = result.back().text = {};
    opened.pop_back();
  }
  std::erase_if(result, [](const MathToken& token) { return token.text.empty(); });
  return result;
}

DUALAGENT_INLINE bool same_tokens(std::span<const MathToken> a, std::span<const MathToken> b) {
  const std::vector<MathToken> first = without_needless_braces(a);
  const std::vector<MathToken> second = without_needless_braces(b);
  return !first.empty() &&
         std::equal(first.begin(), first.end(), second.begin(), second.end(), same_token);
}

}  // namespace dualagent::detail
