#pragma once

/// Definitions of report_runs.hpp; see core/compiled.hpp.

#include "dualagent/report/report_runs.hpp"

namespace dualagent::detail {

/// `folder`/metrics/NAME.jsonl, in order of their names.
inline std::vector<std::filesystem::path> metrics_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  if (std::filesystem::is_directory(folder / "metrics"))
    for (const auto& entry : std::filesystem::directory_iterator(folder / "metrics"))
      if (entry.path().extension() == ".jsonl") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

inline ReportRun read_run(const std::filesystem::path& file) {
  constexpr std::string_view kWarmStart = "warm_start_";
  ReportRun run{.name = file.stem().string(), .group = {}, .records = read_metrics(file)};
  if (run.name.rfind(kWarmStart, 0) == 0)
    run = {run.name.substr(kWarmStart.size()), "Warm start", std::move(run.records)};
  return run;
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE std::vector<ReportRun> read_runs(const std::filesystem::path& folder) {
  std::vector<ReportRun> runs;
  for (const std::filesystem::path& file : detail::metrics_files(folder)) {
    try {
      runs.push_back(detail::read_run(file));
    } catch (const Error& error) {
      warn_once(std::string("left out of the report: ") + error.what());
    }
  }
  return runs;
}

}  // namespace dualagent

namespace dualagent::detail {

/// What a folder is called in a comparison: its own name, or its path if another has that name.
inline std::vector<std::string> folder_names(std::span<const std::filesystem::path> folders) {
  const auto own_name = [](const std::filesystem::path& folder) {
    const std::filesystem::path whole =
        std::filesystem::absolute(folder / "").lexically_normal().parent_path();
    return whole.has_filename() ? whole.filename().string() : whole.string();
  };
  std::vector<std::string> names;
  for (const std::filesystem::path& folder : folders) {
    const auto same = std::count_if(folders.begin(), folders.end(), [&](const auto& other) {
      return own_name(other) == own_name(folder);
    });
    names.push_back(same == 1 ? own_name(folder) : folder.string());
  }
  return names;
}

inline std::vector<ResultRow> read_rows(const std::filesystem::path& folder) {
  if (!std::filesystem::exists(folder / "result.json")) return {};
  return read_result(folder / "result.json").rows;
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE ReportData compare_runs(std::span<const std::filesystem::path> folders) {
  ReportData data{.title = folders.size() == 1 ? "Training report" : "Runs compared",
                  .rows_note = "Intervals are of the held-out tasks of one run."};
  const std::vector<std::string> names = detail::folder_names(folders);
  for (std::size_t i = 0; i < folders.size(); ++i) {
    std::vector<ResultRow> rows = detail::read_rows(folders[i]);
    std::vector<ReportRun> runs;
    for (const std::filesystem::path& file : detail::metrics_files(folders[i]))
      runs.push_back(detail::read_run(file));
    std::set<std::string> own;
    for (const ResultRow& row : rows) own.insert(row.name);
    for (const ReportRun& run : runs) own.insert(run.name);
    if (own.empty())
      throw Error("no run in this folder", folders[i].string(),
                  "Name folders that hold metrics/NAME.jsonl or a result.json");
    const auto whole_name = [&](const std::string& name) {
      if (folders.size() == 1) return name;
      return own.size() == 1 ? names[i] : names[i] + ", " + name;
    };
    for (ResultRow& row : rows) {
      row.name = whole_name(row.name);
      data.rows.push_back(std::move(row));
    }
    for (ReportRun& run : runs) {
      run.name = whole_name(run.name);
      data.runs.push_back(std::move(run));
    }
  }
  return data;
}

}  // namespace dualagent
