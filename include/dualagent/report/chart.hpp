#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/compiled.hpp"
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
std::vector<double> trailing_mean(std::span<const double> values, std::size_t window);

/// The curve of one metric over the steps that have it.
///
/// Example: metric_series(read_metrics("out/dual.jsonl"), "reward_mean", "dual-agent").
Series metric_series(std::span<const MetricsRecord> records, std::string_view metric,
                     std::string name);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/report/chart.inl"
#endif
