#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/warning.hpp"
#include "dualagent/report/metrics.hpp"
#include "dualagent/report/report_json.hpp"
#include "dualagent/report/result_json.hpp"

namespace dualagent {

/// The runs whose metrics lie in `folder`/metrics, one per NAME.jsonl, in order of their names.
///
/// warm_start_NAME is the run NAME of the group "Warm start". A folder without metrics has no runs.
/// A file that cannot be read, or that `MetricsWriter` did not write, is left out and warned of
/// once, with its line: it does not end a training run whose report shows it.
std::vector<ReportRun> read_runs(const std::filesystem::path& folder);

/// A report of the runs in several folders: their curves in the same charts, a row for each.
///
/// A folder may hold metrics/NAME.jsonl and a result.json of `write_result`. In a report of several
/// folders a row is called like its folder, and FOLDER, NAME where the folder has several rows.
/// Folders of unfinished runs show what they have so far.
/// Errors: Error for a folder that holds neither, and for files that cannot be read.
/// Example: compare_runs(folders) where folders is {"seed-0", "seed-1"}.
ReportData compare_runs(std::span<const std::filesystem::path> folders);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/report/report_runs.inl"
#endif
