#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "dualagent/core/compiled.hpp"
#include "dualagent/text/unicode_classes.hpp"

namespace dualagent {

/// Hand-written scanners of the expressions that cut a text into words, each with the expression
/// that it stands for. A scanner takes the rest of a piece and returns where the match that begins
/// at its first character ends, or null where none begins; in time linear in what it looks at,
/// which is the match and at most the white space behind it.
using Scanner = const char* (*)(const char* at, const char* end);

namespace detail {

/// What scanners ask of a character; ASCII is answered from a small table.
class CharacterKinds {
 public:
  enum : std::uint8_t { letter = 1, number = 2, space = 4, line_break = 8, mark = 16 };

  static std::uint8_t ascii(unsigned char c) { return kAscii[c]; }
  static std::uint8_t of(char32_t c);

 private:
  static constexpr std::array<std::uint8_t, 128> kAscii = [] {
    std::array<std::uint8_t, 128> kinds{};
    for (std::size_t c = 0; c < 128; ++c) {
      const char as_char = static_cast<char>(c);
      if ((as_char >= 'a' && as_char <= 'z') || (as_char >= 'A' && as_char <= 'Z'))
        kinds[c] = letter;
      if (as_char >= '0' && as_char <= '9') kinds[c] = number;
      if (as_char == ' ' || (as_char >= '\t' && as_char <= '\r')) kinds[c] = space;
      if (as_char == '\n' || as_char == '\r') kinds[c] = space | line_break;
    }
    return kinds;
  }();
};

struct KindAt {
  std::uint8_t kind;
  const char* next;
};

KindAt kind_at(const char* at, const char* end);

/// The end of the run of characters whose kind is in `kinds`.
const char* skip(const char* at, const char* end, std::uint8_t kinds);

/// As skip for kinds that hold letters, in steps of eight bytes.
const char* skip_word(const char* at, const char* end, std::uint8_t kinds);

/// The end of the run of characters of none of the kinds.
const char* skip_others(const char* at, const char* end, std::uint8_t kinds);

char lower(char c);

/// 's|'t|'re|'ve|'m|'ll|'d, or null. Without case, U+017F is an s.
template <bool AnyCase>
const char* contraction(const char* at, const char* end) {
  if (end - at < 2 || *at != '\'') return nullptr;
  const char first = AnyCase ? lower(at[1]) : at[1];
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return at + 2;
  if (end - at < 3) return nullptr;
  if (AnyCase && at[1] == '\xC5' && at[2] == '\xBF') return at + 3;
  const char second = AnyCase ? lower(at[2]) : at[2];
  const bool two =
      ((first == 'r' || first == 'v') && second == 'e') || (first == 'l' && second == 'l');
  return two ? at + 3 : nullptr;
}

/// \s*[\r\n]+|\s+(?!\S)|\s+ (LineBreaksFirst), or only \s+(?!\S)|\s+; null if no white space
/// begins.
template <bool LineBreaksFirst>
const char* white_space(const char* at, const char* end) {
  const char *run = at, *last = at, *after_break = nullptr;
  while (run != end) {
    const KindAt c = kind_at(run, end);
    if ((c.kind & CharacterKinds::space) == 0) break;
    last = run;
    run = c.next;
    if ((c.kind & CharacterKinds::line_break) != 0) after_break = run;
  }
  if (run == at) return nullptr;
  if (LineBreaksFirst && after_break != nullptr) return after_break;
  return run == end || last == at ? run : last;  // one is left to the word behind
}

/// At most `most` numbers from `at` on.
const char* numbers(const char* at, const char* end, int most);

}  // namespace detail

/// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
const char* scan_gpt2(const char* at, const char* end);

/// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,MostDigits}|
/// ?[^\s\p{L}\p{N}]+[\r\n]*| \s*[\r\n]+|\s+(?!\S)|\s+, with [\p{L}\p{M}] for \p{L} and
/// [^\s\p{L}\p{M}\p{N}] if MarksInWords.
template <int MostDigits, bool MarksInWords>
const char* scan_words(const char* at, const char* end) {
  using K = detail::CharacterKinds;
  constexpr std::uint8_t kWord = MarksInWords ? K::letter | K::mark : K::letter;
  const detail::KindAt c = detail::kind_at(at, end);
  if ((c.kind & kWord) != 0) return detail::skip_word(c.next, end, kWord);
  if (c.kind == K::number) return detail::numbers(c.next, end, MostDigits - 1);
  if (const char* found = detail::contraction<true>(at, end)) return found;
  if (c.next != end) {
    const detail::KindAt second = detail::kind_at(c.next, end);
    if ((second.kind & kWord) != 0 && (c.kind & K::line_break) == 0)
      return detail::skip_word(second.next, end, kWord);
    if (*at == ' ' && (second.kind & (K::space | K::number)) == 0)
      return detail::skip(detail::skip_others(second.next, end, K::space | kWord | K::number), end,
                          K::line_break);
  }
  if ((c.kind & K::space) == 0)
    return detail::skip(detail::skip_others(c.next, end, K::space | kWord | K::number), end,
                        K::line_break);
  return detail::white_space<true>(at, end);
}

/// [^\r\n\p{L}\p{N}]?[UPPER]*[LOWER]+(?i:'s|..)?|[^\r\n\p{L}\p{N}]?[UPPER]+[LOWER]*(?i:'s|..)?|\p{N}{1,3}|
/// ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+, UPPER = Lu Lt Lm Lo M, LOWER = Ll Lm Lo M.
const char* scan_o200k(const char* at, const char* end);

/// [!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|
/// ?[\p{P}\p{S}]+[\r\n]*| \s*[\r\n]+|\s+(?!\S)|\s+, DeepSeek V3's third expression. Nothing begins
/// at a number or a control character, unless a word follows.
const char* scan_deepseek_v3(const char* at, const char* end);

/// \s+$: white space up to the end of a line.
const char* scan_trailing_space(const char* at, const char* end);

/// The scanner of an expression, by its exact text; null for one without.
Scanner find_scanner(std::string_view expression);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/text/word_scanners.inl"
#endif
