#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "dualagent/text/unicode_classes.hpp"

namespace dualagent {

namespace detail {

/// The character that byte-level BPE writes for each byte (GPT-2's bytes_to_unicode): printable
/// bytes stand for themselves, the others, in order, for U+0100 and what follows.
inline constexpr std::array<char32_t, 256> kByteCharacters = [] {
  std::array<char32_t, 256> characters{};
  char32_t next = 256;
  for (char32_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte > 0x20 && byte < 0x7F) || (byte > 0xA0 && byte != 0xAD);
    characters[byte] = printable ? byte : next++;
  }
  return characters;
}();

/// The byte of a character of that alphabet; -1 for others.
inline constexpr std::array<short, 324> kCharacterBytes = [] {
  std::array<short, 324> bytes{};
  for (short& byte : bytes) byte = -1;
  for (std::size_t byte = 0; byte < 256; ++byte)
    bytes[kByteCharacters[byte]] = static_cast<short>(byte);
  return bytes;
}();

}  // namespace detail

/// The bytes that a token of a byte-level vocabulary spells; nothing if it holds other characters.
/// Example: "Ġa" gives " a".
inline std::optional<std::string> bytes_of_spelling(std::string_view spelling) {
  std::string bytes;
  bytes.reserve(spelling.size());
  for (const char *at = spelling.data(), *end = at + spelling.size(); at != end;) {
    const auto [c, next] = character_at(at, end);
    if (c >= detail::kCharacterBytes.size() || detail::kCharacterBytes[c] < 0) return std::nullopt;
    bytes += static_cast<char>(detail::kCharacterBytes[c]);
    at = next;
  }
  return bytes;
}

}  // namespace dualagent
