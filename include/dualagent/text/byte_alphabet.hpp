#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "dualagent/core/compiled.hpp"
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

}  // namespace detail

/// The bytes that a token of a byte-level vocabulary spells; nothing if it holds other characters.
/// Example: "Ġa" gives " a".
std::optional<std::string> bytes_of_spelling(std::string_view spelling);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/text/byte_alphabet.inl"
#endif
