#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace dualagent {

/// Calls visit(row, line, where) for every row of a JSON-lines text that is not blank: `line`
/// counts from 1, blank ones included; `where` is "PATH:LINE".
template <class Visitor>
void for_each_row(std::string_view text, const std::string& path, Visitor&& visit) {
  std::size_t line = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view row = text.substr(begin, end - begin);
    ++line;
    begin = end + 1;
    if (row.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    visit(row, line, path + ":" + std::to_string(line));
  }
}

}  // namespace dualagent
