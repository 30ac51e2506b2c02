#pragma once

/// Definitions of token_text.hpp; see core/compiled.hpp.

#include "dualagent/text/token_text.hpp"

namespace dualagent::detail {

/// How many bytes at the front belong to one maximal subpart of a character (The Unicode Standard,
/// section 3.9): what one U+FFFD stands for where it is not a whole character.
inline std::size_t subpart_bytes(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  const std::size_t wanted = first >= 0xF0 && first <= 0xF4   ? 4
                             : first >= 0xE0 && first <= 0xEF ? 3
                             : first >= 0xC2 && first <= 0xDF ? 2
                                                              : 1;
  if (wanted == 1 || text.size() < 2) return 1;
  const unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < low || byte(1) > high) return 1;
  std::size_t size = 2;
  while (size < wanted && size < text.size() && (byte(size) & 0xC0U) == 0x80U) ++size;
  return size;
}

DUALAGENT_INLINE bool can_be_completed(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  const std::size_t wanted = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  return first >= 0xC2 && first <= 0xF4 && text.size() < wanted &&
         subpart_bytes(text) == text.size();
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE std::string valid_utf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const DecodedCharacter c = decode_utf8(bytes);
    const std::size_t size = c.valid ? c.size_bytes : detail::subpart_bytes(bytes);
    text += c.valid ? bytes.substr(0, size) : std::string_view("\xEF\xBF\xBD");
    bytes.remove_prefix(size);
  }
  return text;
}

}  // namespace dualagent
