#pragma once

/// Definitions of chart_axis.hpp; see core/compiled.hpp.

#include "dualagent/report/chart_axis.hpp"

namespace dualagent::detail {

DUALAGENT_INLINE std::vector<double> multiples(double low, double high, double step) {
  std::vector<double> values;
  for (double i = std::ceil(low / step - 1e-6); i * step <= high + 1e-6 * step; ++i) {
    values.push_back(i * step);
    if (i + 1 == i) break;  // so far from 0 that a double holds no next one
  }
  return values;
}

DUALAGENT_INLINE AxisTicks axis_ticks(double low, double high, double most, double least_step,
                                      AxisUnit unit) {
  const double rough = std::max((high - low) / std::max(1.0, most), least_step);
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double factor : {5.0, 2.0, 1.0})
    if (factor * power >= rough * (1 - 1e-9)) step = factor * power;
  if (unit == AxisUnit::percent && rough <= 0.25 && rough > 0.2) step = 0.25;
  return {.step = step, .values = multiples(low, high, step)};
}

DUALAGENT_INLINE std::string tick_text(double value, double step, AxisUnit unit) {
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

DUALAGENT_INLINE std::string value_text(double value, AxisUnit unit) {
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

}  // namespace dualagent::detail
