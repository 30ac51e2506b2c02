#pragma once

/// Definitions of chart.hpp; see core/compiled.hpp.

#include "dualagent/report/chart.hpp"

namespace dualagent {

DUALAGENT_INLINE std::vector<double> trailing_mean(std::span<const double> values,
                                                   std::size_t window) {
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

DUALAGENT_INLINE Series metric_series(std::span<const MetricsRecord> records,
                                      std::string_view metric, std::string name) {
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
