#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>

#include "dualagent/core/error.hpp"

namespace dualagent {

/// Counted successes among independent trials.
struct Proportion {
  std::size_t successes = 0;
  std::size_t trials = 0;  ///< 0: not measured

  bool measured() const { return trials > 0; }
  /// In 0..1; 0 when nothing was measured.
  double fraction() const {
    return measured() ? static_cast<double>(successes) / static_cast<double>(trials) : 0.0;
  }
};

/// Bounds of a confidence interval, low <= high.
struct Interval {
  double low = 0.0;
  double high = 1.0;
};

/// Two-sided 95 % quantile of the normal distribution.
inline constexpr double z_95_percent = 1.959963984540054;

/// Wilson's score interval of a proportion, in 0..1.
///
/// With n trials and p successes per trial: (p + z^2/2n +- z sqrt(p (1-p)/n + z^2/4n^2)) /
/// (1 + z^2/n). Unlike p +- z sqrt(p (1-p)/n) it does not collapse at p = 0 and p = 1. No trials
/// give [0, 1].
/// Errors: throws when there are more successes than trials or z is not positive.
/// Source: E. B. Wilson, JASA 22 (1927), 209-212.
/// Example: wilson_interval({198, 200}) is 0.964..0.997.
inline Interval wilson_interval(const Proportion& proportion, double z = z_95_percent) {
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
