#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/report/metrics.hpp"

namespace dualagent {

/// One line of a chart.
struct Series {
  std::string name = {};
  std::vector<double> x = {};  ///< increasing, e.g. steps
  std::vector<double> y = {};  ///< as long as x; NaN leaves a gap
  /// Which of the 8 colours, from 8 on again with dashes, from 16 on dotted; none: the position in
  /// the chart.
  std::optional<std::size_t> colour = {};
};

/// How values are written on the axis and in tooltips.
enum class AxisUnit : std::uint8_t { number, percent };  // percent: of fractions of 1

/// Curves that share their axes.
struct Chart {
  std::string title = {};
  std::string x_label = "step";
  std::string y_label = {};
  AxisUnit unit = AxisUnit::number;
  std::optional<double> y_min = {};  ///< none: from the data
  std::optional<double> y_max = {};
  std::vector<Series> series = {};
};

/// Means of each value and the up to `window - 1` values before it; NaN values are left out.
///
/// Errors: throws when the window is 0.
/// Example: window 2 over 1, 3, 5 gives 1, 2, 4.
inline std::vector<double> trailing_mean(std::span<const double> values, std::size_t window) {
  if (window == 0) throw Error("a window of 0 values has no mean", "trailing_mean");
  std::vector<double> means;
  means.reserve(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    double sum = 0;
    std::size_t count = 0;
    for (std::size_t j = i + 1 < window ? 0 : i + 1 - window; j <= i; ++j) {
      if (values[j] != values[j]) continue;  // NaN
      sum += values[j];
      ++count;
    }
    means.push_back(count == 0 ? values[i] : sum / static_cast<double>(count));
  }
  return means;
}

/// The curve of one metric over the steps that have it.
///
/// Example: metric_series(read_metrics("out/dual.jsonl"), "reward_mean", "dual-agent").
inline Series metric_series(std::span<const MetricsRecord> records, std::string_view metric,
                            std::string name) {
  Series series{.name = std::move(name), .x = {}, .y = {}};
  for (const MetricsRecord& record : records) {
    const std::optional<double> value = record.number(metric);
    if (!value) continue;
    series.x.push_back(static_cast<double>(record.step));
    series.y.push_back(*value);
  }
  return series;
}

}  // namespace dualagent
