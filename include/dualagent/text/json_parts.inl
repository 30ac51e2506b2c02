#pragma once

/// Definitions of json_parts.hpp; see core/compiled.hpp.

#include "dualagent/text/json_parts.hpp"

namespace dualagent {

DUALAGENT_INLINE std::string_view json_member(std::string_view object, std::string_view key) {
  std::string_view found;
  walk_json_object(object, skip_json_space(object, 0),
                   [&](std::string_view name, std::string_view value, std::size_t) {
                     if (found.empty() && json_string_text(name) == key) found = value;
                     return static_cast<const char*>(nullptr);
                   });
  return found;
}

DUALAGENT_INLINE std::vector<std::string_view> json_elements(std::string_view array) {
  std::vector<std::string_view> elements;
  std::size_t at = skip_json_space(array, 0);
  if (at >= array.size() || array[at] != '[') return elements;
  at = skip_json_space(array, at + 1);
  while (at < array.size() && array[at] != ']') {
    const JsonEnd value = skip_json_value(array, at);
    if (!value.whole()) return elements;
    elements.push_back(array.substr(at, value.at - at));
    at = skip_json_space(array, value.at);
    if (at < array.size() && array[at] == ',') at = skip_json_space(array, at + 1);
  }
  return elements;
}

DUALAGENT_INLINE std::string spaced_json(std::string_view json) {
  std::string text;
  text.reserve(json.size());
  for (std::size_t at = skip_json_space(json, 0); at < json.size();
       at = skip_json_space(json, at)) {
    if (json[at] == '"') {
      const std::size_t end = skip_json_string(json, at).at;
      text += json_literal(json_string_text(json.substr(at, end - at)));
      at = end;
      continue;
    }
    text += json[at];
    if (json[at] == ',' || json[at] == ':') text += ' ';
    ++at;
  }
  return text;
}

}  // namespace dualagent
