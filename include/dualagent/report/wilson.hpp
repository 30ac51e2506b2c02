#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>

#include "dualagent/core/compiled.hpp"
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
Interval wilson_interval(const Proportion& proportion, double z = z_95_percent);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/report/wilson.inl"
#endif
