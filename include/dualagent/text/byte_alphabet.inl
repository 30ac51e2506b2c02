#pragma once

/// Definitions of byte_alphabet.hpp; see core/compiled.hpp.

#include "dualagent/text/byte_alphabet.hpp"

namespace dualagent::detail {

/// The byte of a character of that alphabet; -1 for others.
inline constexpr std::array<short, 324> kCharacterBytes = [] {
  std::array<short, 324> bytes{};
  for (short& byte : bytes) byte = -1;
  for (std::size_t byte = 0; byte < 256; ++byte)
    bytes[kByteCharacters[byte]] = static_cast<short>(byte);
  return bytes;
}();

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE std::optional<std::string> bytes_of_spelling(std::string_view spelling) {
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
