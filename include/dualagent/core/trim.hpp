#pragma once

#include <cstddef>
#include <string_view>

namespace dualagent {

/// The text without spaces, tabs and line ends at its ends. Example: trimmed(" a b\n") == "a b".
inline std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) + 1 - first);
}

}  // namespace dualagent
