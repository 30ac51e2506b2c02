#pragma once

/// Definitions of printable.hpp; see core/compiled.hpp.

#include "dualagent/core/printable.hpp"

namespace dualagent {

DUALAGENT_INLINE DecodedCharacter decode_utf8(std::string_view text) {
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

DUALAGENT_INLINE std::size_t valid_utf8_bytes(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    std::uint64_t eight = 0;
    if (text.size() - at >= 8) {
      std::memcpy(&eight, text.data() + at, 8);
      if ((eight & 0x8080808080808080U) == 0) {  // ASCII
        at += 8;
        continue;
      }
    }
    const DecodedCharacter character = decode_utf8(text.substr(at));
    if (!character.valid) break;
    at += character.size_bytes;
  }
  return at;
}

DUALAGENT_INLINE std::size_t count_characters(std::string_view text) {
  std::size_t count = 0;
  for (; !text.empty(); ++count) text.remove_prefix(decode_utf8(text).size_bytes);
  return count;
}

}  // namespace dualagent

namespace dualagent::detail {

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

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE std::string printable(std::string_view text, LineBreaks breaks) {
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
