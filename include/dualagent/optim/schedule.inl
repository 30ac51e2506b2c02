#pragma once

/// Definitions of schedule.hpp; see core/compiled.hpp.

#include "dualagent/optim/schedule.hpp"

namespace dualagent {

DUALAGENT_INLINE void WarmupCosine::validate() const {
  require_option(final_fraction, kFraction, "final_fraction", "WarmupCosine");
  if (warmup_steps > total_steps || total_steps == 0)
    throw Error("warmup_steps is " + std::to_string(warmup_steps) + ", total_steps is " +
                    std::to_string(total_steps),
                "WarmupCosine", "total_steps counts the warm-up too, and is at least 1");
}

DUALAGENT_INLINE double WarmupCosine::at(std::size_t step) const {
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

}  // namespace dualagent
