#pragma once

/// Definitions of unquoted_values.hpp; see core/compiled.hpp.

#include "dualagent/text/unquoted_values.hpp"

namespace dualagent {

DUALAGENT_INLINE UnquotedValues UnquotedValues::of(std::span<const ToolSpec> tools) {
  UnquotedValues values;
  for (const ToolSpec& tool : tools) {
    const std::string where = "schema of tool '" + printable(tool.name) + "'";
    const std::string remedy = "Set ToolSpec::parameters to the JSON schema of an object";
    const nlohmann::json schema = parse_json(tool.parameters, where, remedy);
    if (!schema.is_object()) throw Error("the schema is not a JSON object", where, remedy);
    const nlohmann::json properties = schema.value("properties", nlohmann::json::object());
    for (const auto& [name, property] : properties.items())
      values.kinds[{tool.name, name}] = admitted_kinds(property, schema);
  }
  return values;
}

DUALAGENT_INLINE std::string UnquotedValues::read(const std::string& tool,
                                                  const std::string& argument,
                                                  std::string_view said) const {
  return read_as(kinds_of(tool, argument), said);
}

DUALAGENT_INLINE std::string UnquotedValues::write(const std::string& tool,
                                                   const std::string& argument,
                                                   std::string_view json,
                                                   std::span<const std::string_view> tags,
                                                   const std::string& where) const {
  const JsonKinds admitted = kinds_of(tool, argument);
  const auto writes = [&](std::string_view said, std::string_view value) {
    const auto holds = [&](std::string_view tag) { return said.find(tag) != said.npos; };
    return std::none_of(tags.begin(), tags.end(), holds) && read_as(admitted, said) == value;
  };
  const bool quoted = json.front() == '"';
  if (quoted) {
    std::string text = json_string_text(json);
    if (writes(text, json_literal(text))) return text;
  }
  if (writes(json, json)) return std::string(json);
  std::string escaped;  // '<' stands inside strings only
  for (const char c : json) c == '<' ? void(escaped += "\\u003c") : void(escaped += c);
  if (writes(escaped, escaped)) return escaped;
  throw Error("the parameter '" + printable(argument) + "' cannot be written: " +
                  (quoted ? "its text holds a tag of a parameter or spells null"
                          : "its schema wants a text"),
              where, "Give it a value that its schema admits and that has no such tag");
}

DUALAGENT_INLINE std::string_view UnquotedValues::spelled_json(std::string_view said) {
  const std::string_view text = trimmed(said);
  for (const std::string_view word : {"true", "false", "null", "none"})
    if (equal_without_case(text, word)) return word == "none" ? "null" : word;
  const JsonEnd end = skip_json_value(text, 0);
  return end.whole() && end.at == text.size() ? text : std::string_view{};
}

DUALAGENT_INLINE bool UnquotedValues::equal_without_case(std::string_view a, std::string_view b) {
  const auto small = [](char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : int{c}; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return small(x) == small(y); });
}

DUALAGENT_INLINE std::string UnquotedValues::read_as(JsonKinds kinds, std::string_view said) {
  const std::string_view json = spelled_json(said);
  const JsonKinds kind = json.empty() ? JsonKinds::text : kind_of_json(json.front());
  const bool text_alone = (kinds | JsonKinds::null) == (JsonKinds::text | JsonKinds::null);
  const bool is_text = kind == JsonKinds::text
                           ? text_alone || json.empty()
                           : !overlap(kinds, kind) && overlap(kinds, JsonKinds::text);
  return is_text ? json_literal(said) : std::string(json);
}

}  // namespace dualagent
