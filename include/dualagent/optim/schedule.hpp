#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <string>

#include "dualagent/core/check.hpp"

namespace dualagent {

/// The learning rate stays as it is.
struct ConstantSchedule {
  double at(std::size_t) const { return 1.0; }
};

/// Linear warm-up, then half a cosine down to `final_fraction`, constant afterwards.
///
/// `at(step)` is the factor of the learning rate in step 0, 1, ...; the first step has
/// 1 / warmup_steps, step warmup_steps - 1 has 1.
/// Errors: `at` throws Error for a warm-up longer than the whole and for a fraction that is not in
/// [0, 1].
/// Source: Loshchilov and Hutter, "SGDR", 2017, eq. 5, one period.
struct WarmupCosine {
  std::size_t warmup_steps = 50;
  std::size_t total_steps = 1000;
  double final_fraction = 0.1;

  void validate() const {
    require_option(final_fraction, kFraction, "final_fraction", "WarmupCosine");
    if (warmup_steps > total_steps || total_steps == 0)
      throw Error("warmup_steps is " + std::to_string(warmup_steps) + ", total_steps is " +
                      std::to_string(total_steps),
                  "WarmupCosine", "total_steps counts the warm-up too, and is at least 1");
  }

  double at(std::size_t step) const {
    validate();
    const auto now = static_cast<double>(step);
    const auto warmup = static_cast<double>(warmup_steps);
    if (step < warmup_steps) return (now + 1.0) / warmup;
    if (total_steps <= warmup_steps) return final_fraction;
    const double progress =
        std::min(1.0, (now - warmup) / (static_cast<double>(total_steps) - warmup));
    return final_fraction +
           (1.0 - final_fraction) * 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
  }
};

}  // namespace dualagent
