#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/core/compiled.hpp"

namespace dualagent {

/// Number of single-character edits (insert, delete, replace, swap neighbours) between two names.
/// Source: optimal string alignment; Damerau, CACM 7(3), 1964.
std::size_t count_edits(std::string_view a, std::string_view b);

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
std::optional<std::string> nearest_name(std::string_view name,
                                        std::initializer_list<std::string_view> known);

/// For the error about an unknown name: `; did you mean "answer"?`, or nothing.
template <class Names>
std::string spelling_hint(std::string_view name, const Names& known) {
  const std::optional<std::string> nearest = nearest_name(name, known);
  return nearest ? "; did you mean \"" + *nearest + "\"?" : "";
}

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/core/spelling.inl"
#endif
