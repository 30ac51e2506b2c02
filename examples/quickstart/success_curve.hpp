#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <utility>

#include "dualagent/report/html_report.hpp"
#include "dualagent/report/metrics.hpp"
#include "dualagent/report/result_row.hpp"
#include "dualagent/train/run_options.hpp"

/// Success during training, as programs with rows draw it.
namespace quickstart {

/// A picture of it: the mean of `mean_of` steps, one series per row with metrics.
inline dualagent::Chart success_chart(const std::filesystem::path& out,
                                      std::span<const dualagent::ResultRow> rows, std::string title,
                                      std::size_t mean_of) {
  dualagent::Chart chart{
      .title = std::move(title), .unit = dualagent::AxisUnit::percent, .y_min = 0, .y_max = 1};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto path = dualagent::RunFiles{out, rows[i].name}.metrics();
    if (!std::filesystem::exists(path)) continue;
    dualagent::Series series =
        dualagent::metric_series(dualagent::read_metrics(path), "reward_mean", rows[i].title());
    series.y = dualagent::trailing_mean(series.y, mean_of);
    series.colour = i;
    chart.series.push_back(std::move(series));
  }
  return chart;
}

/// The curve of the report, of steps with `rollouts` each.
inline dualagent::ReportCurve success_curve(std::size_t rollouts, std::size_t mean_of) {
  const std::string mean =
      mean_of > 1 ? ", mean of " + std::to_string(mean_of) + " steps" : std::string();
  return {.metric = "reward_mean",
          .title = "Success during training",
          .caption = "share of the step's " + std::to_string(rollouts) + " sampled rollouts" + mean,
          .unit = dualagent::AxisUnit::percent,
          .mean_of = mean_of,
          .y_min = 0,
          .y_max = 1};
}

}  // namespace quickstart
