#pragma once

/// Definitions of json_kinds.hpp; see core/compiled.hpp.

#include "dualagent/text/json_kinds.hpp"

namespace dualagent::detail {

/// Of the name in a schema's "type"; some tools say "str" or "text" for "string".
inline JsonKinds kind_of_type(const nlohmann::json& type) {
  if (type == "string" || type == "str" || type == "text") return JsonKinds::text;
  if (type == "integer" || type == "number") return JsonKinds::number;
  if (type == "boolean") return JsonKinds::boolean;
  if (type == "null") return JsonKinds::null;
  if (type == "array") return JsonKinds::array;
  if (type == "object") return JsonKinds::object;
  return JsonKinds::any;
}

inline JsonKinds kind_of_value(const nlohmann::json& value) {
  if (value.is_string()) return JsonKinds::text;
  if (value.is_number()) return JsonKinds::number;
  if (value.is_boolean()) return JsonKinds::boolean;
  if (value.is_null()) return JsonKinds::null;
  return value.is_array() ? JsonKinds::array : JsonKinds::object;
}

/// Reads schemas inside one root, to which their "$ref" refers.
class SchemaKinds {
 public:
  explicit SchemaKinds(const nlohmann::json& root) : root_(root) {}

  JsonKinds of(const nlohmann::json& schema) {
    if (!schema.is_object() || steps_ == 0 || depth_ == kMaxJsonDepth) return JsonKinds::any;
    --steps_;
    ++depth_;
    JsonKinds kinds = JsonKinds::any;
    for (const auto& [key, value] : schema.items()) kinds = kinds & of_keyword(key, value);
    --depth_;
    return kinds;
  }

 private:
  JsonKinds of_keyword(const std::string& key, const nlohmann::json& value) {
    const auto each = [this](const nlohmann::json& schema) { return of(schema); };
    if (key == "type") return value.is_array() ? any_of(value, kind_of_type) : kind_of_type(value);
    if (key == "const") return kind_of_value(value);
    if (key == "enum" && value.is_array()) return any_of(value, kind_of_value);
    if ((key == "anyOf" || key == "oneOf") && value.is_array()) return any_of(value, each);
    JsonKinds kinds = JsonKinds::any;
    if (key == "allOf" && value.is_array())
      for (const nlohmann::json& schema : value) kinds = kinds & of(schema);
    if (key == "$ref" && value.is_string()) kinds = of_reference(value.get<std::string>());
    return kinds;
  }

  template <class Kind>
  static JsonKinds any_of(const nlohmann::json& parts, Kind&& kind) {
    JsonKinds kinds = JsonKinds::none;
    for (const nlohmann::json& part : parts) kinds = kinds | kind(part);
    return kinds;
  }

  /// Of "#/$defs/NAME"; what cannot be found says nothing.
  JsonKinds of_reference(const std::string& reference) {
    if (!reference.starts_with("#/")) return JsonKinds::any;
    try {
      return of(root_.at(nlohmann::json::json_pointer(reference.substr(1))));
    } catch (const nlohmann::json::exception&) {
      return JsonKinds::any;
    }
  }

  const nlohmann::json& root_;
  int steps_ = 10'000;  // schemas may refer to themselves
  std::size_t depth_ = 0;
};

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE JsonKinds admitted_kinds(const nlohmann::json& schema,
                                          const nlohmann::json& root) {
  return detail::SchemaKinds(root).of(schema);
}

}  // namespace dualagent
