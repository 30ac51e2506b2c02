#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/number_text.hpp"
#include "dualagent/report/html_report.hpp"
#include "dualagent/report/result_json.hpp"
#include "rows.hpp"

namespace quickstart {

/// One series per trained row that has this metric.
inline dualagent::Chart chart_of(const std::filesystem::path& out,
                                 std::span<const dualagent::ResultRow> rows, dualagent::Chart chart,
                                 std::string_view metric, std::size_t window) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto path = dualagent::RunFiles{out, rows[i].name}.metrics();
    if (!std::filesystem::exists(path)) continue;
    dualagent::Series series =
        dualagent::metric_series(dualagent::read_metrics(path), metric, rows[i].title());
    series.y = dualagent::trailing_mean(series.y, window);
    series.colour = i;
    chart.series.push_back(std::move(series));
  }
  return chart;
}

inline dualagent::Chart warm_start_chart(const std::filesystem::path& out) {
  dualagent::Chart chart{.title = "Warm start",
                         .caption = "cross-entropy per trained token, mean of 20 steps",
                         .y_label = "nats"};
  for (const char* name : {"dual", "sliding_window", "no_limit"}) {
    const auto path = dualagent::RunFiles{out, "warm_start_" + std::string(name)}.metrics();
    if (!std::filesystem::exists(path)) continue;
    dualagent::Series series =
        dualagent::metric_series(dualagent::read_metrics(path), "loss", name);
    series.y = dualagent::trailing_mean(series.y, 20);
    chart.series.push_back(std::move(series));
  }
  return chart;
}

inline dualagent::ReportData report_data(const Run& run, std::span<const dualagent::ResultRow> rows,
                                         std::string command) {
  using dualagent::AxisUnit;
  const Options& options = run.options();
  const auto chart = [&](std::string title, std::string caption, std::string_view metric,
                         AxisUnit unit, std::size_t window) {
    return chart_of(options.out, rows,
                    {.title = std::move(title), .caption = std::move(caption), .unit = unit},
                    metric, window);
  };
  dualagent::ReportData data{
      .title = "Ledger trail: an Answerer and a Summarizer trained together",
      .subtitle =
          "A trail of 7 to 10 ledger pages takes 216 to 357 tokens; the context window has "
          "136. Every row is evaluated on the same held-out tasks.",
      .command = std::move(command),
      .rows = {rows.begin(), rows.end()},
      .rows_note =
          "Sliding window and no limit have a warm start of their own, in the best format "
          "for them.",
      .main_curve = chart("Success during training",
                          "share of the step's 128 sampled rollouts, mean of 5 steps",
                          "reward_mean", AxisUnit::percent, 5),
      .curves = {chart("Entropy", "nats per trained token", "entropy", AxisUnit::number, 1),
                 chart("Answerer tokens", "sampled per rollout", "answerer_tokens",
                       AxisUnit::number, 1),
                 chart("Summary length", "tokens per summary", "summarizer_tokens",
                       AxisUnit::number, 1),
                 chart("Compression", "tokens of context per token of its summary", "compression",
                       AxisUnit::number, 1),
                 chart("Gradient norm", "before clipping", "gradient_norm", AxisUnit::number, 1),
                 chart("Clipped tokens", "share of trained tokens with a ratio out of bounds",
                       "clip_fraction", AxisUnit::percent, 1),
                 warm_start_chart(options.out)},
      .episodes = run.episodes()};
  data.main_curve.y_min = 0;
  data.main_curve.y_max = 1;
  data.parameters = {
      {"seed", std::to_string(options.seed)},
      {"warm start", std::to_string(options.warm_start_steps) + " steps"},
      {"reinforcement", std::to_string(options.steps) + " steps of 16 tasks x 8 rollouts"},
      {"model", "Llama-style, 3 layers, width 64, 151,872 parameters, float"},
      {"max |log ratio|", dualagent::shortest_text(run.max_abs_log_ratio()) +
                              " between sampling and training, fresh batches"}};
  return data;
}

}  // namespace quickstart
