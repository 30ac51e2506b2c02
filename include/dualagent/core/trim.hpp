#pragma once

#include <cstddef>
#include <string_view>

namespace dualagent {

/// The text without any of the characters `what` at its ends.
inline std::string_view trimmed_of(std::string_view text, std::string_view what) {
  const std::size_t first = text.find_first_not_of(what);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(what) + 1 - first);
}

/// The text without spaces, tabs and line ends at its ends. Example: trimmed(" a b\n") == "a b".
inline std::string_view trimmed(std::string_view text) { return trimmed_of(text, " \t\r\n"); }

}  // namespace dualagent
