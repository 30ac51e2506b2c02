#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace dualagent {

/// One character taken from the front of a text.
struct DecodedCharacter {
  char32_t code_point = 0xFFFD;
  std::size_t size_bytes = 1;
  bool valid = false;  ///< false: one byte that begins no valid UTF-8 sequence
};

/// Decodes the first character of a text that is not empty; strict UTF-8 (no overlong forms, no
/// surrogates, nothing above U+10FFFF).
inline DecodedCharacter decode_utf8(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1, true};
  const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < size) return {};
  char32_t code_point = first & (0xFFU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return {};
    code_point = (code_point << 6U) | (byte(i) & 0x3FU);
  }
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
  if (code_point < kSmallest[size] || surrogate || code_point > 0x10FFFF) return {};
  return {code_point, size, true};
}

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

/// Number of characters of a text, which is its width in columns for most scripts; an invalid byte
/// counts as one.
inline std::size_t count_characters(std::string_view text) {
  std::size_t count = 0;
  for (; !text.empty(); ++count) text.remove_prefix(decode_utf8(text).size_bytes);
  return count;
}

/// Whether line breaks and tabs stay as they are or are shown as \n, \r, \t.
enum class LineBreaks : std::uint8_t { escape, keep };

namespace detail {

inline bool reorders_text(char32_t c) {  // marks, embeddings, overrides and isolates of bidi text
  return c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) ||
         (c >= 0x2066 && c <= 0x2069);
}

inline bool is_unprintable(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029 || c == 0xFEFF ||
         (c & 0xFFFEU) == 0xFFFEU || reorders_text(c);
}

inline std::string visible_escape(char32_t c) {
  if (c == '\n') return "\\n";
  if (c == '\r') return "\\r";
  if (c == '\t') return "\\t";
  std::string digits;
  for (; c != 0 || digits.size() < 2; c >>= 4U) digits.insert(0, 1, "0123456789abcdef"[c & 0xFU]);
  return digits.size() == 2 ? "\\x" + digits : "\\u{" + digits + "}";
}

}  // namespace detail

/// A text as it can be shown to people, whatever it came from: valid UTF-8 that cannot steer a
/// terminal or reorder the text around it.
///
/// Control characters and those that reorder text become visible escapes ("\x1b", "\u{202e}"); a
/// byte that is not UTF-8 becomes U+FFFD. Backslashes stay as they are, so this cannot be undone.
/// Example: printable("a\nb") == "a\\nb".
inline std::string printable(std::string_view text, LineBreaks breaks = LineBreaks::escape) {
  std::string shown;
  shown.reserve(text.size());
  while (!text.empty()) {
    const DecodedCharacter c = decode_utf8(text);
    const bool kept = breaks == LineBreaks::keep && (c.code_point == '\n' || c.code_point == '\t');
    if (!c.valid) {
      shown += "\xEF\xBF\xBD";
    } else if (detail::is_unprintable(c.code_point) && !kept) {
      shown += detail::visible_escape(c.code_point);
    } else {
      shown.append(text.substr(0, c.size_bytes));
    }
    text.remove_prefix(c.size_bytes);
  }
  return shown;
}

}  // namespace dualagent
