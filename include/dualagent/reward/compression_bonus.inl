#pragma once

/// Definitions of compression_bonus.hpp; see core/compiled.hpp.

#include "dualagent/reward/compression_bonus.hpp"

namespace dualagent {

DUALAGENT_INLINE void CompressionBonus::validate() const {
  require_option(min_ratio, kNotNegative, "min_ratio", "CompressionBonus");
  require_option(max_ratio, {min_ratio, kPositiveOrInfinite.high}, "max_ratio", "CompressionBonus");
  require_option(lesser_ratio, kNotNegative, "lesser_ratio", "CompressionBonus");
  require_option(bonus, kFinite, "bonus", "CompressionBonus");
  require_option(lesser_bonus, kFinite, "lesser_bonus", "CompressionBonus");
}

DUALAGENT_INLINE std::optional<double> CompressionBonus::score(const Task&,
                                                               const Rollout& rollout) const {
  const std::vector<SampledSummary> summaries = sampled_summaries(rollout);
  double sum = 0;
  for (const SampledSummary& summary : summaries) sum += of_ratio(ratio(rollout, summary));
  return summaries.empty() ? 0.0 : sum / static_cast<double>(summaries.size());
}

DUALAGENT_INLINE double CompressionBonus::ratio(const Rollout& rollout,
                                                const SampledSummary& summary) {
  const Context& context = rollout.segments[summary.segment].context;
  return static_cast<double>(count_history(rollout, summary)) /
         static_cast<double>(context.spans()[summary.span].size);
}

}  // namespace dualagent
