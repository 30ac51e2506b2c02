#pragma once

#include <bit>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/json_depth.hpp"
#include "dualagent/core/printable.hpp"

/// JSON inside a text that a model wrote: read in place, without a tree and without exceptions.
namespace dualagent {

/// Where reading a JSON value ended.
struct JsonEnd {
  std::size_t at = 0;           ///< one past the value, or the byte at which it is broken
  const char* fault = nullptr;  ///< what is wrong there; null if the value is whole

  bool whole() const { return fault == nullptr; }
};

bool is_json_space(char c);

/// The first byte at or after `at` that is not white space.
std::size_t skip_json_space(std::string_view text, std::size_t at);

namespace detail {

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace detail

/// Reads the string whose opening quote is at `at`.
JsonEnd skip_json_string(std::string_view text, std::size_t at);

namespace detail {

/// A key and its colon; `at` ends where the value begins.
JsonEnd skip_json_key(std::string_view text, std::size_t at);

}  // namespace detail

/// Reads one JSON value that begins at `at`, strictly by RFC 8259, strings as UTF-8.
///
/// Linear in its length, no recursion, no allocation, any bytes; deeper nesting than kMaxJsonDepth
/// is a fault. Says nothing about keys that come twice.
/// Example: skip_json_value("{\"a\": 1} tail", 0).at == 8.
JsonEnd skip_json_value(std::string_view text, std::size_t at);

/// Reads the object that begins at `at` and calls `visit(key, value, value_at)` for each member of
/// its first level: key and value as written, the key with its quotes. `visit` returns null, or a
/// fault, which then ends the reading at the value.
template <class Visitor>
JsonEnd walk_json_object(std::string_view text, std::size_t at, Visitor&& visit) {
  if (at >= text.size()) return {text.size(), "the text ends where a JSON object is expected"};
  if (text[at] != '{') return {at, "a JSON object is expected"};
  at = skip_json_space(text, at + 1);
  if (at < text.size() && text[at] == '}') return {at + 1, nullptr};
  for (;;) {
    const JsonEnd key = detail::skip_json_key(text, at);
    if (!key.whole()) return key;
    const std::size_t key_end = text.find_last_of('"', key.at - 1) + 1;
    const JsonEnd value = skip_json_value(text, key.at);
    if (!value.whole()) return value;
    const std::string_view written = text.substr(key.at, value.at - key.at);
    if (const char* fault = visit(text.substr(at, key_end - at), written, key.at))
      return {key.at, fault};
    at = skip_json_space(text, value.at);
    if (at >= text.size()) return {text.size(), "the text ends inside an object"};
    if (text[at] == '}') return {at + 1, nullptr};
    if (text[at] != ',') return {at, "a ',' or '}' is expected in an object"};
    at = skip_json_space(text, at + 1);
  }
}

/// The text of a whole JSON string as `skip_json_string` read it, quotes included.
std::string json_string_text(std::string_view literal);

/// A JSON string literal of any bytes, quotes included; bytes that are not UTF-8 become U+FFFD.
std::string json_literal(std::string_view text);

/// A whole JSON value on several lines, each level indented by four spaces, as Python's
/// json.dumps(value, indent=4) writes it.
std::string indented_json(std::string_view json);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/text/json_text.inl"
#endif
