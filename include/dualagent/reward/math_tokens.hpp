#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace dualagent::detail {

enum class MathTokenKind : std::uint8_t {
  digit,
  letter,   ///< a variable
  word,     ///< three letters and more, or letters in \text
  command,  ///< \frac, or a sign of several characters, by its LaTeX name
  symbol,   ///< one character
  open,     ///< {, or what opens the argument of a font
  close,    ///< }
};

struct MathToken {
  MathTokenKind kind = MathTokenKind::symbol;
  std::string_view text;  ///< of the source, or the name that stands for several spellings
  bool spaced = false;    ///< white space, or what is passed over, stands before it
  bool is_text = false;   ///< of `open`: of \text and other upright fonts
};

inline bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
inline bool is_math_digit(char c) { return c >= '0' && c <= '9'; }

/// Cuts a text into the tokens that carry its meaning. Spaces, dollar signs, fonts, sizes and
/// delimiters of mathematics are passed over; several spellings of one sign become one token.
/// Time: linear.
class MathTokenizer {
 public:
  explicit MathTokenizer(std::string_view text)
      : text_(text),
        has_brackets_(text.find_first_of("([") != std::string_view::npos ||
                      text.find("\\{") != std::string_view::npos) {}

  std::vector<MathToken> tokens() {
    while (at_ < text_.size()) next();
    drop_full_stops();
    return std::move(tokens_);
  }

 private:
  struct Spelling {
    std::string_view written, name;
  };
  /// Characters of UTF-8 and plain signs.
  static constexpr std::array kSigns = std::to_array<Spelling>({
      {"\u2212", "-"},          {"\u2013", "-"},
      {"\u00B1", "\\pm"},       {"\u00D7", "\\times"},
      {"\u00B7", "\\cdot"},     {"\u22C5", "\\cdot"},
      {"\u00F7", "\\div"},      {"\u221A", "\\sqrt"},
      {"\u221E", "\\infty"},    {"\u2264", "\\leq"},
      {"\u2265", "\\geq"},      {"\u2260", "\\neq"},
      {"\u2248", "\\approx"},   {"\u2208", "\\in"},
      {"\u222A", "\\cup"},      {"\u2229", "\\cap"},
      {"\u03C0", "\\pi"},       {"\u03B8", "\\theta"},
      {"\u03B1", "\\alpha"},    {"\u03B2", "\\beta"},
      {"\u03BB", "\\lambda"},   {"\u2220", "\\angle"},
      {"\u2205", "\\emptyset"}, {"<=", "\\leq"},
      {">=", "\\geq"},          {"**", "^"},
  });
  static constexpr std::array kCommands = std::to_array<Spelling>({
      {"\\dfrac", "\\frac"},   {"\\tfrac", "\\frac"},   {"\\cfrac", "\\frac"},
      {"\\le", "\\leq"},       {"\\leqslant", "\\leq"}, {"\\ge", "\\geq"},
      {"\\geqslant", "\\geq"}, {"\\lt", "<"},           {"\\gt", ">"},
      {"\\ne", "\\neq"},       {"\\dbinom", "\\binom"}, {"\\tbinom", "\\binom"},
      {"\\lor", ","},          {"\\vee", ","},          {"\\varnothing", "\\emptyset"},
      {"\\lbrace", "\\{"},     {"\\rbrace", "\\}"},     {"\\degree", "\\circ"},
      {"\\lvert", "|"},        {"\\rvert", "|"},        {"\\to", "\\rightarrow"},
  });
  /// Words without a backslash that mean a command.
  static constexpr std::array kPlainCommands = std::to_array<Spelling>({
      {"pi", "\\pi"},
      {"sqrt", "\\sqrt"},
      {"sin", "\\sin"},
      {"cos", "\\cos"},
      {"tan", "\\tan"},
      {"log", "\\log"},
      {"ln", "\\ln"},
      {"or", ","},
      {"infinity", "\\infty"},
      {"and", ","},
  });
  static constexpr std::array<std::string_view, 21> kPassedOver{
      "\\left",   "\\right",     "\\big",      "\\Big",   "\\bigl",         "\\bigr",
      "\\Bigl",   "\\Bigr",      "\\quad",     "\\qquad", "\\displaystyle", "\\textstyle",
      "\\limits", "\\bf",        "\\rm",       "\\it",    "\\bold",         "\\boxed",
      "\\fbox",   "\\mathstrut", "\\thinspace"};
  /// Fonts of mathematics and of text; in an argument of the latter letters are words.
  static constexpr std::array<std::string_view, 7> kMathFonts{
      "\\mathbf", "\\mathit", "\\mathsf", "\\mathtt", "\\boldsymbol", "\\bm", "\\ensuremath"};
  static constexpr std::array<std::string_view, 11> kTextFonts{
      "\\text",   "\\textbf", "\\textit", "\\textrm", "\\textsf",      "\\texttt",
      "\\textup", "\\mathrm", "\\mbox",   "\\emph",   "\\operatorname"};

  template <class Names>
  static bool holds(const Names& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  }
  template <class Spellings>
  static std::string_view name_of(const Spellings& spellings, std::string_view written) {
    for (const Spelling& spelling : spellings)
      if (spelling.written == written) return spelling.name;
    return {};
  }

  char here(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  bool starts(std::string_view piece) const { return text_.substr(at_).starts_with(piece); }

  void skip(std::size_t characters) {
    at_ += characters;
    spaced_ = true;
  }
  void push(MathTokenKind kind, std::size_t length, std::string_view name = {}) {
    tokens_.push_back({kind, name.empty() ? text_.substr(at_, length) : name, spaced_});
    at_ += length;
    spaced_ = false;
  }
  static MathTokenKind kind_of(std::string_view name) {
    return name.size() > 1 ? MathTokenKind::command : MathTokenKind::symbol;
  }

  void next() {
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

  /// A digit, and its decimal point or the separator of thousands behind it, which is passed over.
  void digit() {
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
  bool continues_number() const {
    return !spaced_ && !tokens_.empty() &&
           (tokens_.back().kind == MathTokenKind::digit || tokens_.back().text == ".");
  }
  void point() {
    has_point_ = is_math_digit(here(1));
    if (has_point_ || !continues_number()) return push(MathTokenKind::symbol, 1);
    push(MathTokenKind::symbol, 1);
    spaced_ = true;  // a full stop
  }
  /// Length of a comma, {,} or \, between groups of digits here; 0 if there is none. Where there
  /// are brackets a comma parts numbers.
  std::size_t thousands() const {
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

  void letters() {
    std::size_t length = 1;
    while (is_letter(here(length))) ++length;
    const std::string_view run = text_.substr(at_, length);
    if (const std::string_view name = name_of(kPlainCommands, run); !name.empty())
      return push(kind_of(name), length, name);
    if (length > 2 || in_text_ > 0) return push(MathTokenKind::word, length);
    for (std::size_t i = 0; i < length; ++i) push(MathTokenKind::letter, 1);
  }

  void command() {
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

  /// \begin{pmatrix} is one token; round and square brackets around a matrix mean the same.
  void environment(std::size_t length) {
    constexpr std::size_t kLongestName = 20;
    const std::size_t close = text_.substr(at_, length + kLongestName).find('}');
    if (close == std::string_view::npos) return push(MathTokenKind::command, length);
    const std::string_view whole = text_.substr(at_, close + 1);
    std::string_view name;
    if (whole == "\\begin{bmatrix}") name = "\\begin{pmatrix}";
    if (whole == "\\end{bmatrix}") name = "\\end{pmatrix}";
    push(MathTokenKind::command, whole.size(), name);
  }

  void open(std::size_t length, bool is_text) {
    opened_.push_back(tokens_.size());
    push(MathTokenKind::open, length, "{");
    tokens_.back().is_text = is_text;
    in_text_ += is_text ? 1 : 0;
  }
  /// `\text{ or }` becomes a comma.
  void close() {
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

  /// At the end, or before the braces that end it.
  void drop_full_stops() {
    std::size_t end = tokens_.size();
    while (end > 0 && (tokens_[end - 1].kind == MathTokenKind::close)) --end;
    std::size_t begin = end;
    while (begin > 0 && tokens_[begin - 1].text == ".") --begin;
    tokens_.erase(tokens_.begin() + static_cast<std::ptrdiff_t>(begin),
                  tokens_.begin() + static_cast<std::ptrdiff_t>(end));
  }

  std::string_view text_;
  bool has_brackets_;  // a comma may part numbers
  std::size_t at_ = 0;
  bool spaced_ = false;
  std::size_t group_ = 0;   // digits of a number since its beginning or the last separator
  bool has_point_ = false;  // behind its decimal point
  std::size_t in_text_ = 0;
  std::vector<std::size_t> opened_;
  std::vector<MathToken> tokens_;
};

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

/// Whether two texts are the same but for spaces, fonts, needless braces and the case of words.
inline bool same_tokens(std::span<const MathToken> a, std::span<const MathToken> b) {
  const std::vector<MathToken> first = without_needless_braces(a);
  const std::vector<MathToken> second = without_needless_braces(b);
  return !first.empty() &&
         std::equal(first.begin(), first.end(), second.begin(), second.end(), same_token);
}

}  // namespace dualagent::detail
