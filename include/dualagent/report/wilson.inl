#pragma once

/// Definitions of wilson.hpp; see core/compiled.hpp.

#include "dualagent/report/wilson.hpp"

namespace dualagent {

DUALAGENT_INLINE Interval wilson_interval(const Proportion& proportion, double z) {
  if (proportion.successes > proportion.trials)
    throw Error(std::to_string(proportion.successes) + " successes among " +
                    std::to_string(proportion.trials) + " trials",
                "wilson_interval", "Check the counts");
  if (!(z > 0.0) || !std::isfinite(z))
    throw Error("the quantile z must be positive", "wilson_interval", "95 % is z_95_percent");
  if (!proportion.measured()) return {};
  const auto n = static_cast<double>(proportion.trials);
  const double p = proportion.fraction();
  const double scale = 1.0 + z * z / n;
  const double center = (p + z * z / (2.0 * n)) / scale;
  const double half = z * std::sqrt(p * (1.0 - p) / n + z * z / (4.0 * n * n)) / scale;
  Interval interval{std::max(0.0, center - half), std::min(1.0, center + half)};
  if (proportion.successes == 0) interval.low = 0.0;  // exact, where the formula rounds
  if (proportion.successes == proportion.trials) interval.high = 1.0;
  return interval;
}

}  // namespace dualagent
