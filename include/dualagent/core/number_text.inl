#pragma once

/// Definitions of number_text.hpp; see core/compiled.hpp.

#include "dualagent/core/number_text.hpp"

namespace dualagent {

DUALAGENT_INLINE std::string shortest_text(double value) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value);
  return {digits, end.ptr};
}

DUALAGENT_INLINE std::string fixed_text(double value, int decimals) {
  char digits[400];  // the largest double has 309 digits before the point
  const auto end = std::to_chars(digits, digits + sizeof(digits), value, std::chars_format::fixed,
                                 decimals < 0    ? 0
                                 : decimals > 60 ? 60
                                                 : decimals);
  std::string text(digits, end.ptr);
  if (text.find_first_not_of("-0.") == std::string::npos && text[0] == '-') text.erase(0, 1);
  return text;
}

DUALAGENT_INLINE std::string trimmed_text(double value, int max_decimals) {
  std::string text = fixed_text(value, max_decimals);
  if (text.find('.') == std::string::npos) return text;
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

DUALAGENT_INLINE std::string percent_text(double fraction, int decimals) {
  return fixed_text(100.0 * fraction, decimals) + " %";
}

DUALAGENT_INLINE std::string zero_padded(std::uint64_t value, std::size_t width) {
  std::string digits = std::to_string(value);
  digits.insert(0, width - std::min(width, digits.size()), '0');
  return digits;
}

DUALAGENT_INLINE std::string clock_text(double seconds) {
  if (!(seconds >= 0.0) || seconds > 1e15) return "-:--";
  const auto whole = static_cast<std::uint64_t>(std::llround(seconds));
  const auto two_digits = [](std::uint64_t value) {
    return (value < 10 ? "0" : "") + std::to_string(value);
  };
  const std::string tail = ":" + two_digits(whole % 60);
  if (whole < 3600) return std::to_string(whole / 60) + tail;
  return std::to_string(whole / 3600) + ":" + two_digits(whole / 60 % 60) + tail;
}

}  // namespace dualagent
