#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "dualagent/report/curve_svg.hpp"
#include "dualagent/report/html_report.hpp"
#include "options.hpp"
#include "quickstart/report.hpp"
#include "result.hpp"

namespace objective_sweep {

/// The rows that were trained.
inline std::vector<dualagent::ResultRow> trained_rows(const ProblemResult& problem) {
  std::vector<dualagent::ResultRow> rows = problem.evaluations();
  std::erase_if(rows, [](const dualagent::ResultRow& row) { return row.name == "warm_start"; });
  return rows;
}

/// Writes success.svg and report.html of one problem into `folder`.
inline void write_report(const std::filesystem::path& folder, const Options& options,
                         const ProblemResult& problem, std::string command) {
  const dualagent::Chart chart = quickstart::success_chart(
      folder, trained_rows(problem), problem.title + ": success during training",
      quickstart::kMeanOfSteps);
  dualagent::write_file_atomically(folder / "success.svg",
                                   dualagent::curve_svg(chart, {.width = 960, .height = 440}));
  dualagent::write_html_report(
      folder / "report.html",
      {.title = "Objectives compared: " + problem.title,
       .subtitle = "One warm start, trained with each recipe on the same tasks, with the same "
                   "random numbers and the same number of steps.",
       .headline_figure = std::to_string(problem.rows.size() - 1),
       .headline = "recipes, " + std::to_string(options.steps) + " steps each.",
       .command = std::move(command),
       .parameters = {{"seed", std::to_string(options.seed)},
                      {"warm start", std::to_string(options.warm_start_steps) + " steps"},
                      {"max |log ratio|", dualagent::shortest_text(problem.max_abs_log_ratio) +
                                              " between sampling and training"}},
       .rows = problem.evaluations(),
       .rows_note = "One seed: intervals are of the held-out tasks only.",
       .main_curve =
           quickstart::success_curve(quickstart::kRolloutsPerStep, quickstart::kMeanOfSteps),
       .runs = dualagent::read_runs(folder)});
}

}  // namespace objective_sweep
