#pragma once

#include <concepts>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "dualagent/core/error.hpp"
#include "dualagent/tools/whole_number.hpp"

namespace dualagent {

/// Reads one argument of a tool call: `read_argument(json, "x", arguments.x)`.
///
/// Numbers a model writes are not trusted: an integer must be one (`whole_number`) and fit its
/// type, where nlohmann_json alone would cut it silently. Other types are read by nlohmann_json.
/// Errors: Error, or nlohmann::json::exception, naming the argument or its type; a ToolBox turns
/// both into text that the model reads.
template <class T>
void read_argument(const nlohmann::json& json, const std::string& key, T& value) {
  if (!json.is_object() || !json.contains(key))
    throw Error("the argument '" + key + "' is missing");
  const nlohmann::json& argument = json.at(key);
  if constexpr (std::integral<T> && !std::same_as<T, bool>) {
    const std::optional<T> number = whole_number<T>(argument);
    if (!number) throw Error("the argument '" + key + "' is not a whole number in range");
    value = *number;
  } else {
    argument.get_to(value);
  }
}

}  // namespace dualagent
