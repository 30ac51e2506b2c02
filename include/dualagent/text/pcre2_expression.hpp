#pragma once

#define PCRE2_CODE_UNIT_WIDTH 32
#include <pcre2.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/text/character_class.hpp"
#include "dualagent/text/pre_tokenizer.hpp"

namespace dualagent {

namespace detail {

/// An expression of the tokenizers package (Oniguruma) as one of PCRE2 that means the same:
/// character classes become the runs of our own tables, and what the two libraries read differently
/// is refused.
class ExpressionTranslator {
 public:
  explicit ExpressionTranslator(std::string_view expression) : whole_(expression) {}

  std::u32string translate() {
    CharacterClassReader reader(whole_);
    while (!reader.rest().empty()) {
      const std::string_view rest = reader.rest();
      if (const std::string_view syntax = plain_syntax(rest); !syntax.empty()) {
        reader.take(syntax);
        for (const char c : syntax) out_ += static_cast<unsigned char>(c);
      } else if (rest[0] == '.') {
        refuse(rest);
      } else if (auto set = reader.read()) {
        write(*set);
      } else {
        refuse(reader.rest());
      }
    }
    return std::move(out_);
  }

 private:
  /// Operators that mean the same in both libraries, from the front.
  static std::string_view plain_syntax(std::string_view rest) {
    for (const std::string_view literal :
         {"(?:", "(?i:", "(?=", "(?!", "(?<=", "(?<!", "|", ")", "*", "+", "?", "$", "("})
      if (rest.starts_with(literal) && !(literal == "(" && rest.starts_with("(?")))
        return rest.substr(0, literal.size());
    if (!rest.starts_with('{')) return {};
    const std::size_t close = rest.find('}');  // {n}, {n,}, {n,m}
    const std::string_view inside = rest.substr(1, close == std::string_view::npos ? 0 : close - 1);
    const bool possessive =
        close != std::string_view::npos && rest.substr(close + 1).starts_with('+');
    const bool counts = !inside.empty() && inside[0] != ',' &&
                        inside.find_first_not_of("0123456789,") == std::string_view::npos;
    return counts && !possessive ? rest.substr(0, close + 1) : std::string_view();
  }

  [[noreturn]] void refuse(std::string_view rest) const {
    throw Error("the regular expression " + printable(whole_) + " has at byte " +
                    std::to_string(whole_.size() - rest.size()) +
                    " what is not known to mean the same in PCRE2",
                "tokenizer.json",
                "Write the expression with groups, repeats, lookaround and classes of characters");
  }

  void write(const CharacterSet& set) {
    const auto runs = set.runs();
    if (runs.size() == 1 && runs[0].first == runs[0].second) return write(runs[0].first);
    out_ += U'[';
    if (runs.empty()) out_ += U"^\\x{0}-\\x{10FFFF}";
    for (const auto& [first, last] : runs) {
      write(first);
      out_ += U'-';
      write(last);
    }
    out_ += U']';
  }
  void write(char32_t c) {
    out_ += U"\\x{";
    for (int shift = 20; shift >= 0; shift -= 4)
      out_ += U"0123456789ABCDEF"[(c >> static_cast<unsigned>(shift)) & 15U];
    out_ += U'}';
  }

  std::string_view whole_;
  std::u32string out_;
};

}  // namespace detail

/// A regular expression by PCRE2, compiled to machine code where the library can. Gives the matches
/// that the hand-written scanners give, slower. Bytes that are not UTF-8 match what no character
/// class has. Backtracking is PCRE2's: an expression can be made that takes time quadratic in a
/// text.
class Pcre2Expression final : public Expression {
 public:
  /// Errors: Error for what does not compile or is not known to mean the same as in Hugging Face
  /// files.
  explicit Pcre2Expression(const std::string& expression) {
    const std::u32string pattern = detail::ExpressionTranslator(expression).translate();
    int code = 0;
    PCRE2_SIZE at = 0;
    code_.reset(pcre2_compile_32(units(pattern), pattern.size(),
                                 PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE, &code, &at, nullptr));
    if (!code_)
      throw Error("the regular expression " + printable(expression) +
                      " does not compile: PCRE2 error " + std::to_string(code),
                  "tokenizer.json", "Correct the expression");
    pcre2_jit_compile_32(code_.get(),
                         PCRE2_JIT_COMPLETE);  // without it matching is slower, not different
  }

  void find_all(std::string_view text, std::vector<Match>& matches) const override {
    matches.clear();
    std::u32string characters;
    std::vector<std::size_t> begins;  // of each character, in bytes
    for (const char *at = text.data(), *end = at + text.size(); at != end;) {
      const auto [c, next] = character_at(at, end);
      characters += c;
      begins.push_back(static_cast<std::size_t>(at - text.data()));
      at = next;
    }
    begins.push_back(text.size());
    const std::unique_ptr<pcre2_match_data_32, Free> found(pcre2_match_data_create_32(1, nullptr));
    for (std::size_t at = 0; at <= characters.size();) {
      const int count = pcre2_match_32(code_.get(), units(characters), characters.size(), at,
                                       PCRE2_NO_UTF_CHECK, found.get(), nullptr);
      if (count == PCRE2_ERROR_NOMATCH) return;
      if (count < 0)
        throw Error("PCRE2 gives up on a text of " + std::to_string(text.size()) +
                        " bytes with error " + std::to_string(count),
                    "regular expression of a tokenizer.json", "Use shorter texts");
      const PCRE2_SIZE* const place = pcre2_get_ovector_pointer_32(found.get());
      matches.emplace_back(begins[place[0]], begins[place[1]]);
      at = place[1] > place[0] ? place[1] : place[1] + 1;
    }
  }

 private:
  struct Free {
    void operator()(pcre2_code_32* code) const { pcre2_code_free_32(code); }
    void operator()(pcre2_match_data_32* data) const { pcre2_match_data_free_32(data); }
  };
  static PCRE2_SPTR32 units(const std::u32string& text) {
    return reinterpret_cast<PCRE2_SPTR32>(text.data());
  }

  std::unique_ptr<pcre2_code_32, Free> code_;
};

/// For HuggingFaceOptions::make_expression.
struct Pcre2Expressions {
  std::shared_ptr<const Expression> operator()(const std::string& expression) const {
    return std::make_shared<const Pcre2Expression>(expression);
  }
};

}  // namespace dualagent
