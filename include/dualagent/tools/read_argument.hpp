#pragma once

#include <concepts>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <type_traits>
#include <utility>

#include "dualagent/core/error.hpp"

namespace dualagent {

/// Reads one argument of a tool call: `read_argument(json, "x", arguments.x)`.
///
/// Numbers a model writes are not trusted: an integer must be written as one and fit its type,
/// where nlohmann_json alone would cut it silently. Other types are read by nlohmann_json.
/// Errors: Error, or nlohmann::json::exception, naming the argument or its type; a ToolBox turns
/// both into text that the model reads.
template <class T>
void read_argument(const nlohmann::json& json, const std::string& key, T& value) {
  if (!json.is_object() || !json.contains(key))
    throw Error("the argument '" + key + "' is missing");
  const nlohmann::json& argument = json.at(key);
  if constexpr (std::integral<T> && !std::same_as<T, bool>) {
    const auto in_range = [&] {
      return argument.is_number_unsigned() ? std::in_range<T>(argument.get<std::uint64_t>())
                                           : std::in_range<T>(argument.get<std::int64_t>());
    };
    if (!argument.is_number_integer() || !in_range())
      throw Error("the argument '" + key + "' is not a whole number in range");
  }
  argument.get_to(value);
}

}  // namespace dualagent
