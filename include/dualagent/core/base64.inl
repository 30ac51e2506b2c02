#pragma once

/// Definitions of base64.hpp; see core/compiled.hpp.

#include "dualagent/core/base64.hpp"

namespace dualagent::detail {

inline constexpr std::string_view kBase64Alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE std::string to_base64(std::span<const std::byte> bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t have = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t three = 0;
    for (std::size_t k = 0; k < 3; ++k)
      three = three << 8 | (k < have ? std::to_integer<std::uint32_t>(bytes[i + k]) : 0);
    for (std::size_t k = 0; k < 4; ++k)
      text += k <= have ? detail::kBase64Alphabet[three >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

DUALAGENT_INLINE std::vector<std::byte> from_base64(std::string_view text,
                                                    const std::string& where) {
  const auto refuse = [&](const std::string& why) {
    throw Error("not valid base64: " + why, where, "The text was cut off or changed");
  };
  if (text.size() % 4 != 0) refuse("its length is not a multiple of 4");
  const std::size_t padding = text.empty() ? 0 : text.size() - 1 - text.find_last_not_of('=');
  if (padding > 2) refuse("it has more than two '=' at its end");
  const std::size_t characters = text.size() - padding;
  std::vector<std::byte> bytes;
  bytes.reserve(text.size() / 4 * 3);
  std::uint32_t bits = 0;  // the last 6 bits of every character, newest lowest
  for (std::size_t i = 0; i < characters; ++i) {
    const std::size_t value = detail::kBase64Alphabet.find(text[i]);
    if (value == std::string_view::npos)
      refuse("character " + std::to_string(i) + " is not in the alphabet");
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    if (i % 4 > 0) bytes.push_back(static_cast<std::byte>(bits >> (6 - 2 * (i % 4)) & 0xFF));
  }
  const std::uint32_t unused = padding == 0 ? 0 : padding == 1 ? 0x3 : 0xF;
  if ((bits & unused) != 0) refuse("its last character has bits that belong to no byte");
  return bytes;
}

}  // namespace dualagent
