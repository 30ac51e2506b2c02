#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "dualagent/reward/reward.hpp"
#include "dualagent/trace/sampled_summary.hpp"

namespace dualagent {

/// `bonus` for a summary that is min_ratio to max_ratio times shorter than what it stands for,
/// `lesser_bonus` for another one above lesser_ratio, else 0; the mean over a rollout's summaries,
/// 0 without any.
///
/// The ratio is tokens by tokens; the history counts without the task. Says nothing about what is
/// in a summary: add it to a judge's grade. The reference system's, which divides words by tokens.
struct CompressionBonus {
  double min_ratio = 2.0;
  double max_ratio = 5.0;
  double bonus = 0.1;
  double lesser_ratio = 1.5;
  double lesser_bonus = 0.05;

  void validate() const {
    require_option(min_ratio, kNotNegative, "min_ratio", "CompressionBonus");
    require_option(max_ratio, {min_ratio, kPositiveOrInfinite.high}, "max_ratio",
                   "CompressionBonus");
    require_option(lesser_ratio, kNotNegative, "lesser_ratio", "CompressionBonus");
    require_option(bonus, kFinite, "bonus", "CompressionBonus");
    require_option(lesser_bonus, kFinite, "lesser_bonus", "CompressionBonus");
  }

  std::optional<double> score(const Task&, const Rollout& rollout) const {
    const std::vector<SampledSummary> summaries = sampled_summaries(rollout);
    double sum = 0;
    for (const SampledSummary& summary : summaries) sum += of_ratio(ratio(rollout, summary));
    return summaries.empty() ? 0.0 : sum / static_cast<double>(summaries.size());
  }

  double of_ratio(double ratio) const {
    if (ratio >= min_ratio && ratio <= max_ratio) return bonus;
    return ratio > lesser_ratio ? lesser_bonus : 0.0;
  }

 private:
  static double ratio(const Rollout& rollout, const SampledSummary& summary) {
    const Context& context = rollout.segments[summary.segment].context;
    return static_cast<double>(count_history(rollout, summary)) /
           static_cast<double>(context.spans()[summary.span].size);
  }
};

}  // namespace dualagent
