#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "dualagent/core/compiled.hpp"

namespace dualagent {

/// One character taken from the front of a text.
struct DecodedCharacter {
  char32_t code_point = 0xFFFD;
  std::size_t size_bytes = 1;
  bool valid = false;  ///< false: one byte that begins no valid UTF-8 sequence
};

/// Decodes the first character of a text that is not empty; strict UTF-8 (no overlong forms, no
/// surrogates, nothing above U+10FFFF).
DecodedCharacter decode_utf8(std::string_view text);

/// Appends a code point <= U+10FFFF in UTF-8; what `decode_utf8` reads back unless it is a
/// surrogate.
template <class String>
void append_utf8(String& text, char32_t c) {
  const auto put = [&](char32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (c < 0x80) return put(c);
  if (c < 0x800) {
    put(0xC0 | (c >> 6U));
  } else {
    if (c < 0x10000) {
      put(0xE0 | (c >> 12U));
    } else {
      put(0xF0 | (c >> 18U));
      put(0x80 | ((c >> 12U) & 63U));
    }
    put(0x80 | ((c >> 6U) & 63U));
  }
  put(0x80 | (c & 63U));
}

/// How many bytes at the front of a text are whole characters of UTF-8, strictly: all of them, or
/// the place of the first byte that begins none. Example: valid_utf8_bytes("caf\xe9") == 3.
std::size_t valid_utf8_bytes(std::string_view text);

/// Whether all bytes are UTF-8, strictly.
inline bool is_utf8(std::string_view text) { return valid_utf8_bytes(text) == text.size(); }

/// Number of characters of a text, which is its width in columns for most scripts; an invalid byte
/// counts as one.
std::size_t count_characters(std::string_view text);

/// Whether line breaks and tabs stay as they are or are shown as \n, \r, \t.
enum class LineBreaks : std::uint8_t { escape, keep };

/// A text as it can be shown to people, whatever it came from: valid UTF-8 that cannot steer a
/// terminal or reorder the text around it.
///
/// Control characters and those that reorder text become visible escapes ("\x1b", "\u{202e}"); a
/// byte that is not UTF-8 becomes U+FFFD. Backslashes stay as they are, so this cannot be undone.
/// Example: printable("a\nb") == "a\\nb".
std::string printable(std::string_view text, LineBreaks breaks = LineBreaks::escape);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/core/printable.inl"
#endif
