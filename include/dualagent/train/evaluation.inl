#pragma once

/// Definitions of evaluation.hpp; see core/compiled.hpp.

#include "dualagent/train/evaluation.hpp"

namespace dualagent {

DUALAGENT_INLINE double pass_at_k(std::size_t n, std::size_t c, std::size_t k) {
  double all_fail = 1;
  for (std::size_t i = 0; i < k; ++i) {
    if (n - c <= i) return 1;
    all_fail *= static_cast<double>(n - c - i) / static_cast<double>(n - i);
  }
  return 1 - all_fail;
}

DUALAGENT_INLINE std::optional<double> Evaluation::pass_at(std::size_t k,
                                                           double success_above) const {
  require_option(k, {1.0, static_cast<double>(samples)}, "k", "Evaluation::pass_at",
                 "more samples of each task are played with EvaluationOptions::samples");
  require_option(success_above, kFinite, "success_above", "Evaluation::pass_at");
  double sum = 0;
  std::size_t tasks = 0;
  for (std::size_t begin = 0; begin < rollouts.size(); begin += samples) {
    std::size_t played = 0, solved = 0;
    for (const Rollout& rollout : std::span(rollouts).subspan(begin, samples)) {
      if (rollout.status == RolloutStatus::aborted) continue;
      ++played;
      solved += rollout.reward > success_above ? 1 : 0;
    }
    if (played < k) continue;
    sum += pass_at_k(played, solved, k);
    ++tasks;
  }
  if (tasks == 0) return std::nullopt;
  return sum / static_cast<double>(tasks);
}

}  // namespace dualagent
