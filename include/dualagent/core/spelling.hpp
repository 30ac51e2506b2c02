#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dualagent {

/// Number of single-character edits (insert, delete, replace, swap neighbours) between two names.
/// Source: optimal string alignment; Damerau, CACM 7(3), 1964.
inline std::size_t count_edits(std::string_view a, std::string_view b) {
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

/// The known name that a misspelt one most probably stands for: at most 1 edit away, 2 for names of
/// 6 characters or more; the first of equally near ones. None for a name that is known itself.
/// Example: nearest_name("answr", {"prompt", "answer"}) is "answer".
template <class Names>
std::optional<std::string> nearest_name(std::string_view name, const Names& known) {
  std::size_t least = (name.size() < 6 ? 1 : 2) + 1;
  std::optional<std::string> nearest;
  for (const std::string_view candidate : known) {
    const std::size_t longer = std::max(name.size(), candidate.size());
    if (longer - std::min(name.size(), candidate.size()) >= least)
      continue;  // also bounds the cost
    const std::size_t edits = count_edits(name, candidate);
    if (edits == 0) return std::nullopt;
    if (edits >= least) continue;
    least = edits;
    nearest = std::string(candidate);
  }
  return nearest;
}
inline std::optional<std::string> nearest_name(std::string_view name,
                                               std::initializer_list<std::string_view> known) {
  return nearest_name<std::initializer_list<std::string_view>>(name, known);
}

/// For the error about an unknown name: `; did you mean "answer"?`, or nothing.
template <class Names>
std::string spelling_hint(std::string_view name, const Names& known) {
  const std::optional<std::string> nearest = nearest_name(name, known);
  return nearest ? "; did you mean \"" + *nearest + "\"?" : "";
}

}  // namespace dualagent
