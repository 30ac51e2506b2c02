#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "dualagent/core/compiled.hpp"

namespace dualagent {

/// The shortest decimal text that reads back as the same number, whatever the locale; "nan", "inf"
/// and "-inf" for what is not a number. Example: shortest_text(0.1) == "0.1".
std::string shortest_text(double value);

/// A number with a fixed count of decimals, whatever the locale; no "-0".
/// Example: fixed_text(2.0 / 3.0, 2) == "0.67".
std::string fixed_text(double value, int decimals);

/// As `fixed_text`, without zeros at the end. Example: trimmed_text(0.5, 3) == "0.5".
std::string trimmed_text(double value, int max_decimals);

/// A fraction of 1 in percent. Example: percent_text(0.895, 1) == "89.5 %".
std::string percent_text(double fraction, int decimals);

/// A whole number with zeros in front of it, `width` digits or as many as it has.
/// Example: zero_padded(42, 6) == "000042".
std::string zero_padded(std::uint64_t value, std::size_t width);

/// The number that the whole text is, as the texts above write it and whatever the locale; nothing
/// for any other text and for a number that does not fit.
/// Example: parse_number<std::uint64_t>("42") == 42; nothing for "-1", " 42" and "42 ".
template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const char* const end = text.data() + text.size();
  const auto [read_to, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || read_to != end) return std::nullopt;
  return value;
}

/// Seconds as a clock shows them. Example: clock_text(83) == "1:23", clock_text(3661) == "1:01:01".
std::string clock_text(double seconds);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/core/number_text.inl"
#endif
