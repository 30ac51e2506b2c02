#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "dualagent/core/random.hpp"
#include "dualagent/text/unicode_classes.hpp"

/// A short random text of what tokenizers trip over: contractions, runs of white space, letters of
/// all cases, digits, marks, characters from all over Unicode, bytes that are not UTF-8.
inline std::string hostile_text(const dualagent::RandomStream& draws) {
  static constexpr std::string_view kPieces[] = {
      " ", "  ",  "\n", "\r\n", "\t", "\u3000", "\u0085", "'",  "'s",   "'LL",   "'\u017F",
      "a", "Bc",  "XY", "é",    "ǅ",  "ʰ",      "中",     "カ", "7",    "12345", "½",
      "!", "...", "/",  "<",    "_",  "\u0301", "\u093F", "😀",  "\xFF", "\xC3",  "\u00AD"};
  std::string text;
  const std::size_t size = draws.below(0, 12);
  for (std::size_t i = 0; i < size; ++i) {
    const std::size_t kind = draws.below(2 * i + 1, std::size(kPieces) + 8);
    if (kind < std::size(kPieces)) {
      text += kPieces[kind];
      continue;
    }
    const std::size_t last = kind % 2 == 0 ? 0x3100 : 0x110000;
    const auto c = static_cast<char32_t>(draws.below(2 * i + 2, last));
    dualagent::append_utf8(text, c >= 0xD800 && c < 0xE000 ? U'a' : c);
  }
  return text;
}
