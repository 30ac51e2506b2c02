#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/json_depth.hpp"

namespace dualagent {

/// Types of JSON values, as a set of bits; integers and other numbers are one type.
enum class JsonKinds : std::uint8_t {
  none = 0,
  null = 1,
  boolean = 2,
  number = 4,
  text = 8,
  array = 16,
  object = 32,
  any = 63
};

constexpr JsonKinds operator|(JsonKinds a, JsonKinds b) {
  return static_cast<JsonKinds>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr JsonKinds operator&(JsonKinds a, JsonKinds b) {
  return static_cast<JsonKinds>(static_cast<unsigned>(a) & static_cast<unsigned>(b));
}
/// Whether the two sets share a type.
constexpr bool overlap(JsonKinds a, JsonKinds b) { return (a & b) != JsonKinds::none; }

/// The type of the JSON value that begins with `first`.
constexpr JsonKinds kind_of_json(char first) {
  switch (first) {
    case '"':
      return JsonKinds::text;
    case '{':
      return JsonKinds::object;
    case '[':
      return JsonKinds::array;
    case 't':
    case 'f':
      return JsonKinds::boolean;
    case 'n':
      return JsonKinds::null;
    default:
      return JsonKinds::number;
  }
}

/// The types of the values that the JSON schema `schema` admits, by its "type", "enum", "const",
/// "anyOf", "oneOf", "allOf" and "$ref" into `root`; what says nothing about types admits any.
/// Example: of {"anyOf": [{"type": "string"}, {"type": "null"}]}: text and null.
JsonKinds admitted_kinds(const nlohmann::json& schema, const nlohmann::json& root);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/text/json_kinds.inl"
#endif
