#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/report/result_row.hpp"
#include "dualagent/report/wilson.hpp"

namespace dualagent {

/// What a run of a comparison found: the contents of result.json.
struct RunResult {
  std::uint64_t seed = 0;
  double seconds = 0;  ///< of the whole run
  std::vector<ResultRow> rows = {};
  double max_abs_log_ratio = 0;  ///< nats; between sampling and training, fresh batches, all steps
};

/// The text of result.json: {"seed", "seconds", "rows": [...], "max_abs_log_ratio"}.
///
/// A row has "name", "success_sampled" and "success_greedy" (fractions of 1) and "tasks"; beside
/// them the counts "solved_sampled" and "solved_greedy", 95 % Wilson intervals [low, high] and
/// failures by kind, and where known "tokens_per_task", "seconds" and "note".
/// Errors: Error when a name is missing or used twice, when a row was not evaluated both ways on
/// the same number of tasks, when a number is not finite or a text is not UTF-8.
std::string result_json(const RunResult& result);

/// Writes result.json as a whole or not at all. Errors: as `result_json` and `AtomicFile`.
void write_result(const std::filesystem::path& path, const RunResult& result);

namespace detail {

ResultRow read_row(const nlohmann::json& row, const std::string& where);

}  // namespace detail

/// Reads a result.json back, for tools that gather several runs; failures in order of their kinds.
///
/// Errors: Error with the path when a key is missing or has the wrong type.
RunResult read_result(const std::filesystem::path& path);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/report/result_json.inl"
#endif
