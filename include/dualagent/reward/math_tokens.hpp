#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/compiled.hpp"

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

bool is_letter(char c);

/// Cuts a text into the tokens that carry its meaning. Spaces, dollar signs, fonts, sizes and
/// delimiters of mathematics are passed over; several spellings of one sign become one token.
/// Time: linear.
class MathTokenizer {
 public:
  explicit MathTokenizer(std::string_view text);

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

  void next();

  /// A digit, and its decimal point or the separator of thousands behind it, which is passed over.
  void digit();
  bool continues_number() const {
    return !spaced_ && !tokens_.empty() &&
           (tokens_.back().kind == MathTokenKind::digit || tokens_.back().text == ".");
  }
  void point();
  /// Length of a comma, {,} or \, between groups of digits here; 0 if there is none. Where there
  /// are brackets a comma parts numbers.
  std::size_t thousands() const;

  void letters();

  void command();

  /// \begin{pmatrix} is one token; round and square brackets around a matrix mean the same.
  void environment(std::size_t length);

  void open(std::size_t length, bool is_text);
  /// `\text{ or }` becomes a comma.
  void close();

  /// At the end, or before the braces that end it.
  void drop_full_stops();

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

/// Whether two texts are the same but for spaces, fonts, needless braces and the case of words.
bool same_tokens(std::span<const MathToken> a, std::span<const MathToken> b);

}  // namespace dualagent::detail

#ifndef DUALAGENT_COMPILED
#include "dualagent/reward/math_tokens.inl"
#endif
