#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "dualagent/core/compiled.hpp"
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

  void validate() const;

  std::optional<double> score(const Task&, const Rollout& rollout) const;

  double of_ratio(double ratio) const {
    if (ratio >= min_ratio && ratio <= max_ratio) return bonus;
    return ratio > lesser_ratio ? lesser_bonus : 0.0;
  }

 private:
  static double ratio(const Rollout& rollout, const SampledSummary& summary);
};

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/reward/compression_bonus.inl"
#endif
