#pragma once

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

namespace dualagent {

/// The shortest decimal text that reads back as the same number, whatever the locale; "nan", "inf"
/// and "-inf" for what is not a number. Example: shortest_text(0.1) == "0.1".
inline std::string shortest_text(double value) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value);
  return {digits, end.ptr};
}

/// A number with a fixed count of decimals, whatever the locale; no "-0".
/// Example: fixed_text(2.0 / 3.0, 2) == "0.67".
inline std::string fixed_text(double value, int decimals) {
  char digits[400];  // the largest double has 309 digits before the point
  const auto end = std::to_chars(digits, digits + sizeof(digits), value, std::chars_format::fixed,
                                 decimals < 0    ? 0
                                 : decimals > 60 ? 60
                                                 : decimals);
  std::string text(digits, end.ptr);
  if (text.find_first_not_of("-0.") == std::string::npos && text[0] == '-') text.erase(0, 1);
  return text;
}

/// As `fixed_text`, without zeros at the end. Example: trimmed_text(0.5, 3) == "0.5".
inline std::string trimmed_text(double value, int max_decimals) {
  std::string text = fixed_text(value, max_decimals);
  if (text.find('.') == std::string::npos) return text;
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

/// A fraction of 1 in percent. Example: percent_text(0.895, 1) == "89.5 %".
inline std::string percent_text(double fraction, int decimals) {
  return fixed_text(100.0 * fraction, decimals) + " %";
}

/// Seconds as a clock shows them. Example: clock_text(83) == "1:23", clock_text(3661) == "1:01:01".
inline std::string clock_text(double seconds) {
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
