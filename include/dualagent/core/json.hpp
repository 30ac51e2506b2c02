#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/core/printable.hpp"

namespace dualagent {

struct JsonLimits {
  std::size_t max_depth = 32;  ///< nested objects and arrays
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

/// Parses one JSON text strictly: no duplicate keys, bounded nesting, nothing after the value.
///
/// `where` names the source in errors. Errors: Error with the parser's line and column, the
/// duplicate key or the depth.
/// Example: parse_json(R"({"a": 1})", "config.json").at("a") == 1.
inline nlohmann::json parse_json(const std::string& text, const std::string& where,
                                 JsonLimits limits = {}) {
  using Event = nlohmann::json::parse_event_t;
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  const auto check = [&](int depth, Event event, nlohmann::json& value) {
    if ((event == Event::object_start || event == Event::array_start) &&
        static_cast<std::size_t>(depth) >= limits.max_depth)
      throw Error("JSON is nested deeper than " + std::to_string(limits.max_depth) + " levels",
                  where, "Check that the file is what its name says");
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end) keys.pop_back();
    if (event == Event::key && !keys.back().insert(value.get<std::string>()).second)
      throw Error(
          "JSON object has the key " + to_json_string(value.get<std::string>(), where) + " twice",
          where, "Keep one of the two");
    return true;
  };
  try {
    return nlohmann::json::parse(text, check);
  } catch (const nlohmann::json::exception& error) {
    throw Error(std::string("not valid JSON: ") + error.what(), where,
                "Check that the file is complete and was not edited by hand");
  }
}

}  // namespace dualagent
