#pragma once

/// Definitions of result_row.hpp; see core/compiled.hpp.

#include "dualagent/report/result_row.hpp"

namespace dualagent {

DUALAGENT_INLINE std::vector<std::string> failure_kinds(
    std::span<const ResultRow> rows, std::vector<FailureCount> ResultRow::*failures) {
  std::vector<std::string> kinds;
  for (const ResultRow& row : rows)
    for (const FailureCount& failure : row.*failures) {
      bool known = false;
      for (const std::string& kind : kinds) known = known || kind == failure.kind;
      if (!known) kinds.push_back(failure.kind);
    }
  return kinds;
}

DUALAGENT_INLINE std::size_t count_failures(std::span<const FailureCount> failures,
                                            std::string_view kind) {
  std::size_t count = 0;
  for (const FailureCount& failure : failures)
    if (failure.kind == kind) count += failure.count;
  return count;
}

}  // namespace dualagent
