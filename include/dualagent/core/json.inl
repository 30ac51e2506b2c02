#pragma once

/// Definitions of json.hpp; see core/compiled.hpp.

#include "dualagent/core/json.hpp"

namespace dualagent {

DUALAGENT_INLINE std::string to_json_string(std::string_view text, const std::string& where) {
  constexpr std::string_view kHexDigits = "0123456789abcdef";
  if (const std::size_t valid = valid_utf8_bytes(text); valid < text.size())
    throw Error("a name or text is not valid UTF-8 at byte " + std::to_string(valid), where,
                "Store bytes that are not text as an array");
  std::string literal = "\"";
  for (const char c : text) {
    const std::size_t escape = std::string_view("\"\\\b\f\n\r\t").find(c);
    if (escape != std::string_view::npos)
      (literal += '\\') += "\"\\bfnrt"[escape];
    else if (static_cast<unsigned char>(c) < 0x20)
      ((literal += "\\u00") += kHexDigits[static_cast<unsigned char>(c) >> 4]) +=
          kHexDigits[static_cast<unsigned char>(c) & 0xF];
    else
      literal += c;
  }
  return literal += '"';
}

DUALAGENT_INLINE std::optional<Token> token_id(const nlohmann::json& value) {
  constexpr std::uint64_t kMost = std::numeric_limits<Token>::max();
  // A negative number is larger as one without sign.
  if (!value.is_number_integer() || value.get<std::uint64_t>() > kMost) return std::nullopt;
  return value.get<Token>();
}

DUALAGENT_INLINE std::vector<std::string> keys_of(const nlohmann::json& object) {
  std::vector<std::string> keys;
  if (object.is_object())
    for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

DUALAGENT_INLINE std::string misspelt_key(const nlohmann::json& object, std::string_view missing) {
  const std::optional<std::string> nearest = nearest_name(missing, keys_of(object));
  return nearest ? "; it has \"" + printable(*nearest) + "\"" : "";
}

}  // namespace dualagent

namespace dualagent::detail {

DUALAGENT_INLINE void read_json_events(std::string_view text,
                                       nlohmann::json_sax<nlohmann::json>& events) {
  auto input = nlohmann::detail::input_adapter(text);
  nlohmann::detail::parser<nlohmann::json, decltype(input)>(std::move(input)).sax_parse(&events);
}

}  // namespace dualagent::detail
