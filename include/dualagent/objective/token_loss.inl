#pragma once

/// Definitions of token_loss.hpp; see core/compiled.hpp.

#include "dualagent/objective/token_loss.hpp"

namespace dualagent::detail {

DUALAGENT_INLINE void require_clip(double low, double high, const char* owner) {
  require_option(low, kNotNegativeOrInfinite, "clip_low", owner);
  require_option(high, kNotNegativeOrInfinite, "clip_high", owner);
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE void DualClipLoss::validate() const {
  detail::require_clip(clip_low, clip_high, "DualClipLoss");
  require_option(bound, detail::above(1.0), "bound", "DualClipLoss");
}

DUALAGENT_INLINE bool DualClipLoss::clips(const TokenTerms<double>& t) const {
  const double ratio = kernels::ratio_of(t.log_prob - t.old_log_prob);
  return kernels::is_clipped(ratio, t.advantage, clip_low, clip_high) ||
         (t.advantage < 0 && ratio > bound);
}

DUALAGENT_INLINE void TwoSidedClipLoss::validate() const {
  detail::require_clip(clip_low, clip_high, "TwoSidedClipLoss");
  require_option(cap, detail::above(1.0 + clip_high), "cap", "TwoSidedClipLoss");
}

DUALAGENT_INLINE bool TwoSidedClipLoss::clips(const TokenTerms<double>& t) const {
  const double ratio = kernels::ratio_of(t.log_prob - t.old_log_prob);
  return kernels::is_clipped(ratio, t.advantage, clip_low, clip_high) ||
         (t.advantage < 0 && ratio > cap);
}

DUALAGENT_INLINE void CispoLoss::validate() const {
  require_option(upper, kPositiveOrInfinite, "upper", "CispoLoss");
  require_option(lower, {0.0, upper}, "lower", "CispoLoss");
}

DUALAGENT_INLINE bool CispoLoss::clips(const TokenTerms<double>& t) const {
  const double ratio = kernels::ratio_of(t.log_prob - t.old_log_prob);
  return t.advantage != 0 && (ratio < lower || ratio > upper);
}

}  // namespace dualagent
