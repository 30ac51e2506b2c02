#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/report/wilson.hpp"

namespace dualagent {

/// How often attempts failed in one way.
struct FailureCount {
  std::string kind = {};  ///< e.g. "total not carried on"
  std::size_t count = 0;
};

/// One system of a comparison, evaluated on held-out tasks.
struct ResultRow {
  std::string name = {};    ///< stable, for files: "dual", "warm_start", ...
  std::string label = {};   ///< for people; empty: the name
  std::string note = {};    ///< a condition that the reader must know, e.g. "8 steps only"
  Proportion sampled = {};  ///< at temperature 1
  Proportion greedy = {};   ///< at temperature 0
  std::vector<FailureCount> failures_sampled = {};
  std::vector<FailureCount> failures_greedy = {};
  std::optional<double> tokens_per_task = {};  ///< sampled by the agents, mean
  std::optional<double> seconds = {};          ///< of training

  const std::string& title() const { return label.empty() ? name : label; }
};

/// Kinds of failure of all rows, in order of first appearance.
std::vector<std::string> failure_kinds(std::span<const ResultRow> rows,
                                       std::vector<FailureCount> ResultRow::*failures);

/// How often one row failed in this way.
std::size_t count_failures(std::span<const FailureCount> failures, std::string_view kind);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/report/result_row.inl"
#endif
