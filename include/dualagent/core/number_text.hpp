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

/// A whole number with zeros in front of it, `width` digits or as many as it has.
/// Example: zero_padded(42, 6) == "000042".
inline std::string zero_padded(std::uint64_t value, std::size_t width) {
  std::string digits = std::to_string(value);
  digits.insert(0, width - std::min(width, digits.size()), '0');
  return digits;
}

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
