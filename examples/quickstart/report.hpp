#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/number_text.hpp"
#include "dualagent/report/html_report.hpp"
#include "dualagent/report/report_runs.hpp"
#include "dualagent/report/result_json.hpp"
#include "rows.hpp"

namespace quickstart {

/// A chart of success, for a picture of it: the mean of 5 steps, one series per row with metrics.
inline dualagent::Chart success_chart(const std::filesystem::path& out,
                                      std::span<const dualagent::ResultRow> rows,
                                      std::string title) {
  dualagent::Chart chart{
      .title = std::move(title), .unit = dualagent::AxisUnit::percent, .y_min = 0, .y_max = 1};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto path = dualagent::RunFiles{out, rows[i].name}.metrics();
    if (!std::filesystem::exists(path)) continue;
    dualagent::Series series =
        dualagent::metric_series(dualagent::read_metrics(path), "reward_mean", rows[i].title());
    series.y = dualagent::trailing_mean(series.y, 5);
    series.colour = i;
    chart.series.push_back(std::move(series));
  }
  return chart;
}

/// Success during training as the report draws it.
inline dualagent::ReportCurve success_curve() {
  return {.metric = "reward_mean",
          .title = "Success during training",
          .caption = "share of the step's 128 sampled rollouts, mean of 5 steps",
          .unit = dualagent::AxisUnit::percent,
          .mean_of = 5,
          .y_min = 0,
          .y_max = 1};
}

/// What the report shows; `rows` are those that are done.
inline dualagent::ReportData report_data(const Run& run, std::span<const dualagent::ResultRow> rows,
                                         std::string command) {
  const Options& options = run.options();
  return {.title = "Ledger trail: an Answerer and a Summarizer trained together",
          .subtitle =
              "A trail of 7 to 10 ledger pages takes 216 to 357 tokens; the context window has "
              "136. Every row is evaluated on the same held-out tasks.",
          .command = std::move(command),
          .parameters = {{"seed", std::to_string(options.seed)},
                         {"warm start", std::to_string(options.warm_start_steps) + " steps"},
                         {"reinforcement",
                          std::to_string(options.steps) + " steps of 16 tasks x 8 rollouts"},
                         {"model", "Llama-style, 3 layers, width 64, 151,872 parameters, float"},
                         {"max |log ratio|", dualagent::shortest_text(run.max_abs_log_ratio()) +
                                                 " between sampling and training, fresh batches"}},
          .rows = {rows.begin(), rows.end()},
          .rows_note =
              "Sliding window and no limit have a warm start of their own, in the best format "
              "for them.",
          .main_curve = success_curve(),
          .runs = dualagent::read_runs(options.out),
          .episodes = run.episodes()};
}

}  // namespace quickstart
