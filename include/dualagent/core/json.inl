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

DUALAGENT_INLINE std::string shown_json(const nlohmann::json& value) {
  constexpr std::size_t kMostShown = 40;  // bytes
  const std::string text = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (text.size() <= kMostShown) return printable(text);
  return printable(text.substr(0, kMostShown)) + "...";
}

DUALAGENT_INLINE std::string CountLimits::text() const {
  if (most == std::numeric_limits<std::uint64_t>::max())
    return "a whole number of at least " + std::to_string(least);
  return "a whole number from " + std::to_string(least) + " to " + std::to_string(most);
}

DUALAGENT_INLINE std::optional<std::uint64_t> count_of(const nlohmann::json& value,
                                                       CountLimits limits) {
  // What is built in C++ may be a signed number of at least 0.
  const bool whole =
      value.is_number_unsigned() || (value.is_number_integer() && value.get<std::int64_t>() >= 0);
  if (!whole) return std::nullopt;
  const auto count = value.get<std::uint64_t>();
  return count >= limits.least && count <= limits.most ? std::optional(count) : std::nullopt;
}

DUALAGENT_INLINE std::uint64_t require_count(const nlohmann::json& value, const std::string& key,
                                             const std::string& where, const std::string& remedy,
                                             CountLimits limits) {
  if (const std::optional<std::uint64_t> count = count_of(value, limits)) return *count;
  throw Error(key + " is " + shown_json(value) + ", not " + limits.text(), where, remedy);
}

DUALAGENT_INLINE std::uint64_t require_count_at(const nlohmann::json& object,
                                                const std::string& key, const std::string& where,
                                                const std::string& remedy, CountLimits limits) {
  if (!object.is_object() || !object.contains(key))
    throw Error(key + " is missing" + misspelt_key(object, key), where, remedy);
  return require_count(object.at(key), key, where, remedy, limits);
}

DUALAGENT_INLINE std::optional<Token> token_id(const nlohmann::json& value) {
  const auto id = count_of(value, {.most = std::numeric_limits<Token>::max()});
  return id ? std::optional(static_cast<Token>(*id)) : std::nullopt;
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
