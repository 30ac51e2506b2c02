#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/number_text.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/report/result_row.hpp"
#include "dualagent/report/wilson.hpp"

namespace dualagent {

namespace detail {

// one cell per column

}  // namespace detail

/// The results of a comparison as a table for the terminal: solved tasks, percent and 95 % Wilson
/// intervals, sampled and greedy; tokens per task and seconds where any row has them.
///
/// Ends with a line break; no rows give an empty text. Labels go through `printable`.
std::string text_table(std::span<const ResultRow> rows);

/// Failures by kind as a table for the terminal, one column per row of the comparison; empty where
/// no row counted any.
std::string failure_table(
    std::span<const ResultRow> rows,
    std::vector<FailureCount> ResultRow::*failures = &ResultRow::failures_sampled);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/report/text_table.inl"
#endif
