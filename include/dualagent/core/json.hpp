#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/core/json_depth.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/core/spelling.hpp"

namespace dualagent {

struct JsonLimits {
  std::size_t max_depth = kMaxJsonDepth;  ///< nested objects and arrays
};

/// A JSON string literal, quotes included, everything but ASCII control characters left as it is.
///
/// Errors: Error naming the byte that is not valid UTF-8.
/// Example: the text a"b gives "a\"b".
inline std::string to_json_string(std::string_view text, const std::string& where) {
  constexpr std::string_view kHexDigits = "0123456789abcdef";
  std::string literal = "\"";
  for (std::size_t i = 0; i < text.size();) {
    const DecodedCharacter character = decode_utf8(text.substr(i));
    if (!character.valid)
      throw Error("a name or text is not valid UTF-8 at byte " + std::to_string(i), where,
                  "Store bytes that are not text as an array");
    const char c = text[i];
    const std::size_t escape = std::string_view("\"\\\b\f\n\r\t").find(c);
    if (escape != std::string_view::npos)
      (literal += '\\') += "\"\\bfnrt"[escape];
    else if (static_cast<unsigned char>(c) < 0x20)
      ((literal += "\\u00") += kHexDigits[static_cast<unsigned char>(c) >> 4]) +=
          kHexDigits[static_cast<unsigned char>(c) & 0xF];
    else
      literal += text.substr(i, character.size_bytes);
    i += character.size_bytes;
  }
  return literal += '"';
}

/// The keys of an object, in their order; none of anything else.
inline std::vector<std::string> keys_of(const nlohmann::json& object) {
  std::vector<std::string> keys;
  if (object.is_object())
    for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

/// For the error about a missing key: `; it has "answr"`, if the object has a key that is probably
/// the missing one misspelt, else nothing.
inline std::string misspelt_key(const nlohmann::json& object, std::string_view missing) {
  const std::optional<std::string> nearest = nearest_name(missing, keys_of(object));
  return nearest ? "; it has \"" + printable(*nearest) + "\"" : "";
}

/// Parses one JSON text strictly: one value from the first byte to the last, no duplicate keys, no
/// NaN, bounded nesting. Every JSON that becomes a tree is read here.
///
/// `where` names the source in errors, and `remedy` says what can be done about a text from there.
/// A NUL byte ends a text for nlohmann_json, so that what follows it would be lost; it is refused.
/// Errors: Error with the parser's line and column, the NUL byte, the duplicate key or the depth.
/// Example: parse_json(R"({"a": 1})", "config.json", "Fetch the file again").at("a") == 1.
template <class Json = nlohmann::json>
Json parse_json(std::string_view text, const std::string& where, const std::string& remedy,
                JsonLimits limits = {}) {
  using Event = typename Json::parse_event_t;
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos)
    throw Error("not valid JSON: byte " + std::to_string(nul) + " is NUL", where, remedy);
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  const auto check = [&](int depth, Event event, Json& value) {
    if ((event == Event::object_start || event == Event::array_start) &&
        static_cast<std::size_t>(depth) >= limits.max_depth)
      throw Error("JSON is nested deeper than " + std::to_string(limits.max_depth) + " levels",
                  where, remedy);
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end) keys.pop_back();
    if (event == Event::key && !keys.back().insert(value.template get<std::string>()).second)
      throw Error(
          "a JSON object has the key '" + printable(value.template get<std::string>()) + "' twice",
          where, remedy);
    return true;
  };
  try {
    return Json::parse(text, check);
  } catch (const nlohmann::json::exception& error) {
    throw Error("not valid JSON: " + printable(error.what()), where, remedy);
  }
}

}  // namespace dualagent
