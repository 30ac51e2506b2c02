#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "dualagent/core/number_text.hpp"
#include "dualagent/report/chart.hpp"

/// Where an axis is labelled, and how numbers of a chart are written.
namespace dualagent::detail {

/// All multiples of `step` from `low` to `high`, a millionth of a step beyond them included.
inline std::vector<double> multiples(double low, double high, double step) {
  std::vector<double> values;
  for (double i = std::ceil(low / step - 1e-6); i * step <= high + 1e-6 * step; ++i)
    values.push_back(i * step);
  return values;
}

/// Numbers at which an axis is labelled: multiples of 1, 2 or 5 times a power of ten, or of 25 %.
struct AxisTicks {
  double step = 1;
  std::vector<double> values;
};

/// Ticks from `low` to `high`, about `most` of them at most, `least_step` or more apart.
inline AxisTicks axis_ticks(double low, double high, double most, double least_step,
                            AxisUnit unit = AxisUnit::number) {
  const double rough = std::max((high - low) / std::max(1.0, most), least_step);
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double factor : {5.0, 2.0, 1.0})
    if (factor * power >= rough * (1 - 1e-9)) step = factor * power;
  if (unit == AxisUnit::percent && rough <= 0.25 && rough > 0.2) step = 0.25;
  return {.step = step, .values = multiples(low, high, step)};
}

/// The label of a tick: as many digits as ticks `step` apart need, thousands as "2k".
inline std::string tick_text(double value, double step, AxisUnit unit) {
  if (unit == AxisUnit::percent) {
    value *= 100;
    step *= 100;
  }
  const std::string suffix = unit == AxisUnit::percent ? " %" : "";
  const auto decimals = static_cast<int>(std::max(0.0, -std::floor(std::log10(step) + 1e-9)));
  if (value == 0) return "0" + suffix;
  if (decimals > 4) return shortest_text(std::round(value / step) * step) + suffix;
  if (step >= 1000) return trimmed_text(value / 1000, 3) + "k" + suffix;
  return fixed_text(value, decimals) + suffix;
}

/// A value by itself, to about three digits.
inline std::string value_text(double value, AxisUnit unit) {
  if (unit == AxisUnit::percent) return percent_text(value, 1);
  if (value == 0) return "0";
  const double size = std::abs(value);
  if (size < 1e-3 || size >= 1e7) {
    char digits[32];
    const auto end =
        std::to_chars(digits, digits + sizeof(digits), value, std::chars_format::scientific, 2);
    return {digits, end.ptr};
  }
  return trimmed_text(value, size < 1 ? 4 : size < 100 ? 3 : 1);
}

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
