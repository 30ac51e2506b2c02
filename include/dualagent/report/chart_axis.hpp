#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/number_text.hpp"
#include "dualagent/report/chart.hpp"

/// Where an axis is labelled, and how numbers of a chart are written.
namespace dualagent::detail {

/// All multiples of `step` from `low` to `high`, a millionth of a step beyond them included.
std::vector<double> multiples(double low, double high, double step);

/// Numbers at which an axis is labelled: multiples of 1, 2 or 5 times a power of ten, or of 25 %.
struct AxisTicks {
  double step = 1;
  std::vector<double> values;
};

/// Ticks from `low` to `high`, about `most` of them at most, `least_step` or more apart.
AxisTicks axis_ticks(double low, double high, double most, double least_step,
                     AxisUnit unit = AxisUnit::number);

/// The label of a tick: as many digits as ticks `step` apart need, thousands as "2k".
std::string tick_text(double value, double step, AxisUnit unit);

/// A value by itself, to about three digits.
std::string value_text(double value, AxisUnit unit);

/// Least and greatest of what was added; NaN and infinities are ignored.
struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void add(double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool empty() const { return low > high; }
};

}  // namespace dualagent::detail

#ifndef DUALAGENT_COMPILED
#include "dualagent/report/chart_axis.inl"
#endif
