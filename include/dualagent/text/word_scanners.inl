#pragma once

/// Definitions of word_scanners.hpp; see core/compiled.hpp.

#include "dualagent/text/word_scanners.hpp"

namespace dualagent::detail {

DUALAGENT_INLINE std::uint8_t CharacterKinds::of(char32_t c) {
  if (c < 128) return kAscii[c];
  const UnicodeTable& table = UnicodeTable::get();
  const std::uint8_t kind = table.is_in(c, kLetters)   ? letter
                            : table.is_in(c, kNumbers) ? number
                            : table.is_in(c, kMarks)   ? mark
                                                       : 0;
  return table.is_space(c) ? std::uint8_t{space} : kind;
}

/// Apart from kind_at, so that the case of ASCII is compiled into the scanners.
[[gnu::noinline]] inline KindAt kind_beyond_ascii(const char* at, const char* end) {
  const CharacterAt c = character_at(at, end);
  return {CharacterKinds::of(c.code_point), c.next};
}

DUALAGENT_INLINE KindAt kind_at(const char* at, const char* end) {
  const auto first = static_cast<unsigned char>(*at);
  if (first < 128) return {CharacterKinds::ascii(first), at + 1};
  return kind_beyond_ascii(at, end);
}

/// How many of the eight bytes at `at` are ASCII letters before the first that is none.
inline int leading_letters(const char* at) {
  constexpr std::uint64_t kOnes = 0x0101010101010101U, kTops = 0x80 * kOnes;
  std::uint64_t bytes = 0;
  std::memcpy(&bytes, at, 8);
  const std::uint64_t lower_case = (bytes | 0x20 * kOnes) & ~kTops;
  const std::uint64_t from_a = lower_case + (0x80 - 'a') * kOnes;        // top bit: >= 'a'
  const std::uint64_t behind_z = lower_case + (0x80 - 'z' - 1) * kOnes;  // top bit: > 'z'
  const std::uint64_t others = ~(from_a & ~behind_z & ~bytes) & kTops;
  return std::endian::native == std::endian::little ? std::countr_zero(others) / 8
                                                    : std::countl_zero(others) / 8;
}

DUALAGENT_INLINE const char* skip(const char* at, const char* end, std::uint8_t kinds) {
  while (at != end) {
    const KindAt c = kind_at(at, end);
    if ((c.kind & kinds) == 0) return at;
    at = c.next;
  }
  return at;
}

DUALAGENT_INLINE const char* skip_word(const char* at, const char* end, std::uint8_t kinds) {
  while (end - at >= 8) {
    const int letters = leading_letters(at);
    at += letters;
    if (letters == 8) continue;
    const KindAt c = kind_at(at, end);
    if ((c.kind & kinds) == 0) return at;
    at = c.next;
  }
  return skip(at, end, kinds);
}

DUALAGENT_INLINE const char* skip_others(const char* at, const char* end, std::uint8_t kinds) {
  while (at != end) {
    const KindAt c = kind_at(at, end);
    if ((c.kind & kinds) != 0) return at;
    at = c.next;
  }
  return at;
}

DUALAGENT_INLINE char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

DUALAGENT_INLINE const char* numbers(const char* at, const char* end, int most) {
  for (int i = 0; i < most && at != end; ++i) {
    const KindAt c = kind_at(at, end);
    if (c.kind != CharacterKinds::number) break;
    at = c.next;
  }
  return at;
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE const char* scan_gpt2(const char* at, const char* end) {
  using K = detail::CharacterKinds;
  if (const char* found = detail::contraction<false>(at, end)) return found;
  const char* word = *at == ' ' && at + 1 != end ? at + 1 : at;
  const detail::KindAt c = detail::kind_at(word, end);
  if (c.kind == K::letter) return detail::skip_word(c.next, end, K::letter);
  if (c.kind == K::number) return detail::skip(c.next, end, K::number);
  if ((c.kind & K::space) == 0)
    return detail::skip_others(c.next, end, K::space | K::letter | K::number);
  return detail::white_space<false>(at, end);
}

}  // namespace dualagent

namespace dualagent::detail {

inline constexpr CategorySet kUpper =
    set_of(Category::Lu) | set_of(Category::Lt, Category::Lo) | kMarks;

inline constexpr CategorySet kLower =
    set_of(Category::Ll) | set_of(Category::Lm, Category::Lo) | kMarks;

/// UPPER*LOWER+, or UPPER+LOWER* where that does not match, with an optional contraction; null if
/// neither.
inline const char* cased_word(const char* at, const char* end, bool lower_needed) {
  const UnicodeTable& table = UnicodeTable::get();
  const char *run = at, *after_both = nullptr;  // behind the last character that is in both sets
  bool next_is_lower = false;
  while (run != end) {
    const auto [c, next] = character_at(run, end);
    next_is_lower = table.is_in(c, kLower);
    if (!table.is_in(c, kUpper)) break;
    run = next;
    if (next_is_lower) after_both = next;
    next_is_lower = false;
  }
  if (lower_needed && !next_is_lower) {
    if (after_both == nullptr) return nullptr;
    run = after_both;
  } else if (!lower_needed && run == at) {
    return nullptr;
  } else {
    while (run != end) {
      const auto [c, next] = character_at(run, end);
      if (!table.is_in(c, kLower)) break;
      run = next;
    }
  }
  const char* suffix = contraction<true>(run, end);
  return suffix != nullptr ? suffix : run;
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE const char* scan_o200k(const char* at, const char* end) {
  using K = detail::CharacterKinds;
  const detail::KindAt c = detail::kind_at(at, end);
  const bool before = (c.kind & (K::line_break | K::letter | K::number)) == 0;
  for (const bool lower_needed : {true, false}) {
    if (before && c.next != end)
      if (const char* found = detail::cased_word(c.next, end, lower_needed)) return found;
    if (const char* found = detail::cased_word(at, end, lower_needed)) return found;
  }
  if (c.kind == K::number) return detail::numbers(c.next, end, 2);
  const char* word = *at == ' ' && c.next != end ? c.next : at;
  const detail::KindAt first = detail::kind_at(word, end);
  if ((first.kind & (K::space | K::letter | K::number)) == 0) {
    const char* run = detail::skip_others(first.next, end, K::space | K::letter | K::number);
    while (run != end && (*run == '\r' || *run == '\n' || *run == '/')) ++run;
    return run;
  }
  return detail::white_space<true>(at, end);
}

DUALAGENT_INLINE const char* scan_deepseek_v3(const char* at, const char* end) {
  constexpr CategorySet kWord = kLetters | kMarks, kSigns = kPunctuation | kSymbols;
  const UnicodeTable& table = UnicodeTable::get();
  const auto is_alphabetic = [](char c) {
    return detail::lower(c) >= 'a' && detail::lower(c) <= 'z';
  };
  const auto run_of = [&](const char* from, CategorySet set) {
    while (from != end) {
      const auto [c, next] = character_at(from, end);
      if (!table.is_in(c, set)) break;
      from = next;
    }
    return from;
  };
  const CharacterAt c = character_at(at, end);
  const bool is_sign = table.is_in(c.code_point, kSigns);
  if (c.code_point < 128 && is_sign && c.next != end && is_alphabetic(*c.next)) {
    const char* run = c.next;
    while (run != end && is_alphabetic(*run)) ++run;
    return run;
  }
  if (table.is_in(c.code_point, kWord)) return run_of(c.next, kWord);
  if (!is_sign && c.code_point != '\r' && c.code_point != '\n')
    if (const char* run = run_of(c.next, kWord); run != c.next) return run;
  const char* const begin = *at == ' ' ? c.next : at;
  if (const char* signs = run_of(begin, kSigns); signs != begin) {
    while (signs != end && (*signs == '\r' || *signs == '\n')) ++signs;
    return signs;
  }
  return detail::white_space<true>(at, end);
}

DUALAGENT_INLINE const char* scan_trailing_space(const char* at, const char* end) {
  const char *run = at, *before_break = nullptr;
  while (run != end) {
    const detail::KindAt c = detail::kind_at(run, end);
    if ((c.kind & detail::CharacterKinds::space) == 0) break;
    if (*run == '\n' && run != at) before_break = run;
    run = c.next;
  }
  return run == end && run != at ? run : before_break;
}

DUALAGENT_INLINE Scanner find_scanner(std::string_view expression) {
  struct Known {
    std::string_view expression;
    Scanner scanner;
  };
  static constexpr Known kKnown[] = {
      {R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", scan_gpt2},
      {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
       scan_words<1, false>},
      {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
       scan_words<3, false>},
      {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
       scan_words<1, true>},
      {R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
       scan_o200k},
      {"[!\"#$%&'()*+,\\-./"
       ":;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| "
       "?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
       scan_deepseek_v3},
      {R"(\s+$)", scan_trailing_space}};
  for (const Known& known : kKnown)
    if (known.expression == expression) return known.scanner;
  return nullptr;
}

}  // namespace dualagent
