#pragma once

/// Definitions of pre_tokenizer.hpp; see core/compiled.hpp.

#include "dualagent/text/pre_tokenizer.hpp"

namespace dualagent {

DUALAGENT_INLINE void LiteralExpression::find_all(std::string_view text,
                                                  std::vector<Match>& matches) const {
  matches.clear();
  for (std::size_t at = text.find(literal_); at != std::string_view::npos && !literal_.empty();
       at = text.find(literal_, at + literal_.size()))
    matches.emplace_back(at, at + literal_.size());
}

}  // namespace dualagent

namespace dualagent::detail {

DUALAGENT_INLINE std::vector<std::string_view> merged_parts(const SplitStep& step,
                                                            std::string_view piece) {
  std::vector<std::pair<std::string_view, bool>> parts;
  for_each_part(step, piece, [&](std::string_view part, bool is_match) {
    parts.emplace_back(part, is_match != step.invert);
  });
  const auto joined = [](std::string_view a, std::string_view b) {
    return std::string_view(a.data(), a.size() + b.size());
  };
  std::vector<std::string_view> merged;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto& [part, is_match] = parts[i];
    const bool first = i == 0, match_before = !first && parts[i - 1].second;
    bool joins = false;
    switch (step.behavior) {
      case SplitBehavior::removed:
        if (is_match) continue;
        break;
      case SplitBehavior::isolated:
        break;
      case SplitBehavior::contiguous:
        joins = !first && match_before == is_match;
        break;
      case SplitBehavior::merged_with_previous:
        joins = !first && is_match && !match_before;
        break;
      case SplitBehavior::merged_with_next: {
        // The last of a run of matches joins what follows it.
        joins = match_before && !is_match;
        break;
      }
    }
    if (joins)
      merged.back() = joined(merged.back(), part);
    else
      merged.push_back(part);
  }
  return merged;
}

}  // namespace dualagent::detail
