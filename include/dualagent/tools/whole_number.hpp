#pragma once

#include <concepts>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

namespace dualagent {

/// The integer that a JSON number is, or nothing if it is another value or does not fit T.
///
/// As in JSON Schema, 140.0 and 1.4e2 are integers and 140.5 is not. A number with a fraction or an
/// exponent is held as a double, which is exact below 2^53; from there on nothing is given.
template <std::integral T>
requires(!std::same_as<T, bool>) std::optional<T> whole_number(const nlohmann::json& json) {
  constexpr double kExact = 9007199254740992.0;  // 2^53
  const auto fitting = [](auto value) {
    return std::in_range<T>(value) ? std::optional<T>(static_cast<T>(value)) : std::nullopt;
  };
  if (json.is_number_unsigned()) return fitting(json.get<std::uint64_t>());
  if (json.is_number_integer()) return fitting(json.get<std::int64_t>());
  if (!json.is_number_float()) return std::nullopt;
  const double value = json.get<double>();
  if (!(value > -kExact && value < kExact)) return std::nullopt;
  const auto whole = static_cast<std::int64_t>(value);
  return static_cast<double>(whole) == value ? fitting(whole) : std::nullopt;
}

}  // namespace dualagent
