#pragma once

/// Definitions of spelling.hpp; see core/compiled.hpp.

#include "dualagent/core/spelling.hpp"

namespace dualagent {

DUALAGENT_INLINE std::size_t count_edits(std::string_view a, std::string_view b) {
  const std::size_t width = b.size() + 1;
  std::vector<std::size_t> cost((a.size() + 1) * width);
  for (std::size_t i = 0; i <= a.size(); ++i)
    for (std::size_t j = 0; j <= b.size(); ++j) {
      std::size_t& best = cost[i * width + j];
      if (i == 0 || j == 0) {
        best = i + j;
        continue;
      }
      best = std::min({cost[(i - 1) * width + j] + 1, cost[i * width + j - 1] + 1,
                       cost[(i - 1) * width + j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        best = std::min(best, cost[(i - 2) * width + j - 2] + 1);
    }
  return cost.back();
}

DUALAGENT_INLINE std::optional<std::string> nearest_name(
    std::string_view name, std::initializer_list<std::string_view> known) {
  return nearest_name<std::initializer_list<std::string_view>>(name, known);
}

}  // namespace dualagent
