#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "dualagent/trace/rollout.hpp"

namespace dualagent {

/// What one training step measured, over all ranks. Means over nothing are 0.
struct StepMetrics {
  std::size_t step = 0;  ///< number of the step, from 0

  // Rollouts.
  double rollouts = 0;           ///< played, aborted ones included
  double aborted = 0;            ///< that left the statistics
  double truncated = 0;          ///< that met a limit
  double live_groups = 0;        ///< groups whose rewards differ
  double reward_mean = 0;        ///< over rollouts that were not aborted
  double answerer_tokens = 0;    ///< sampled by the Answerer, per rollout
  double summarizer_tokens = 0;  ///< per summary
  double summaries = 0;          ///< per rollout
  double turns = 0;              ///< of the Answerer, per rollout
  double compression = 0;        ///< tokens before a summary / tokens of the summary, mean

  // Updates. Means are over trained tokens of the step.
  double updates = 0;  ///< optimizer steps, summed over models
  double trained_tokens = 0;
  double trained_positions = 0;  ///< tokens that went through forward and backward
  double loss = 0;
  double entropy = 0;            ///< nats
  double ratio_mean = 0;         ///< of new to old probability
  double clip_fraction = 0;      ///< tokens with an advantage but no gradient
  double gradient_norm = 0;      ///< before clipping, mean over updates
  double max_abs_log_ratio = 0;  ///< on the first minibatch, before any update: 0 if our kernels
                                 ///< give the same numbers in sampling and in training

  // Cost of this rank.
  double rollout_seconds = 0;
  double update_seconds = 0;

  /// Sampled tokens per second of the rollout phase; positions per second of the updates.
  double rollout_tokens_per_second() const {
    const double each = answerer_tokens + summarizer_tokens * summaries;
    return rollout_seconds > 0 ? each * (rollouts - aborted) / rollout_seconds : 0;
  }
  double update_tokens_per_second() const {
    return update_seconds > 0 ? trained_positions / update_seconds : 0;
  }

  /// Calls `visit(name, value)` for every measurement, in the order above.
  template <class Visitor>
  void for_each(Visitor&& visit) const {
    visit("rollouts", rollouts);
    visit("aborted", aborted);
    visit("truncated", truncated);
    visit("live_groups", live_groups);
    visit("reward_mean", reward_mean);
    visit("answerer_tokens", answerer_tokens);
    visit("summarizer_tokens", summarizer_tokens);
    visit("summaries", summaries);
    visit("turns", turns);
    visit("compression", compression);
    visit("updates", updates);
    visit("trained_tokens", trained_tokens);
    visit("trained_positions", trained_positions);
    visit("loss", loss);
    visit("entropy", entropy);
    visit("ratio_mean", ratio_mean);
    visit("clip_fraction", clip_fraction);
    visit("gradient_norm", gradient_norm);
    visit("max_abs_log_ratio", max_abs_log_ratio);
    visit("rollout_seconds", rollout_seconds);
    visit("update_seconds", update_seconds);
    visit("rollout_tokens_per_second", rollout_tokens_per_second());
    visit("update_tokens_per_second", update_tokens_per_second());
  }
};

/// Sums over rollouts from which means are made once all ranks have added theirs.
struct RolloutSums {
  double rollouts = 0;
  double aborted = 0;
  double truncated = 0;
  double reward = 0;
  double answerer_tokens = 0;
  double summarizer_tokens = 0;
  double summaries = 0;
  double turns = 0;
  double compression = 0;

  void add(const Rollout& rollout) {
    rollouts += 1;
    if (rollout.status == RolloutStatus::aborted) {
      aborted += 1;
      return;
    }
    truncated += rollout.status == RolloutStatus::truncated ? 1 : 0;
    reward += rollout.reward;
    turns += static_cast<double>(rollout.turns);
    for (const Segment& segment : rollout.segments)
      for (const Span& span : segment.context.spans()) add(span);
  }

  double counted() const { return rollouts - aborted; }

 private:
  void add(const Span& span) {
    if (!span.is_sampled()) return;
    const auto size = static_cast<double>(span.size);
    if (span.agent == AgentRole::answerer) {
      answerer_tokens += size;
    } else {
      summarizer_tokens += size;
      summaries += 1;
      compression += static_cast<double>(span.begin) / size;
    }
  }
};

}  // namespace dualagent
