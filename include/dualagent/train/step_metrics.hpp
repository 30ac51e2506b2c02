#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/kernels/dual.inl"
#include "dualagent/kernels/mask.inl"
#include "dualagent/kernels/token_loss.inl"
#include "dualagent/loops/token_loss.inl"
#include "dualagent/trace/packed_batch.hpp"
#include "dualagent/trace/rollout.hpp"

namespace dualagent {

/// How often one tool was called in a step, over all ranks.
struct ToolMetrics {
  std::string name;
  double calls = 0;
  double failures = 0;  ///< it threw or gave no answer in time
  double timeouts = 0;  ///< those of the failures that gave no answer in time
  double refusals = 0;  ///< its arguments could not be read
};

/// What one training step measured, over all ranks. Means over nothing are 0.
struct StepMetrics {
  std::size_t step = 0;  ///< number of the step, from 0

  // Rollouts.
  double rollouts = 0;           ///< played, aborted ones included
  double aborted = 0;            ///< that left the statistics
  double truncated = 0;          ///< that met a limit
  double live_groups = 0;        ///< groups whose rewards differ
  double with_advantage = 0;     ///< rollouts and forks whose advantage is not 0
  double replaced_groups = 0;    ///< played and dropped because their rewards were all equal
  double forks = 0;              ///< of histories, not counted among the rollouts
  double fork_reward_mean = 0;   ///< over forks that were not aborted
  double reward_mean = 0;        ///< over rollouts that were not aborted
  double answerer_tokens = 0;    ///< sampled by the Answerer, per rollout
  double summarizer_tokens = 0;  ///< per summary
  double summaries = 0;          ///< per rollout
  double turns = 0;              ///< of the Answerer, per rollout
  double compression = 0;        ///< tokens before a summary / tokens of the summary, mean
  double sampled_tokens = 0;     ///< of all that was played: aborted and replaced rollouts, forks

  // Tool calls, those of forks included.
  double tool_calls = 0;                ///< answered, whatever the answer
  double unknown_tool_calls = 0;        ///< of names that no tool has
  std::vector<ToolMetrics> tools = {};  ///< of each tool, in the order of the tool box

  // Updates. Means are over the tokens that were trained: those of rollouts of advantage 0 are not,
  // where they cannot have a gradient.
  double updates = 0;        ///< optimizer steps, summed over models
  double learning_rate = 0;  ///< of these updates, after the schedule
  double trained_tokens = 0;
  double trained_positions = 0;  ///< tokens that went through forward and backward
  double scored_positions = 0;   ///< through forward alone: old, reference and present policy
  double loss = 0;
  double entropy = 0;     ///< nats
  double ratio_mean = 0;  ///< of new to old probability
  /// Divergence from the reference policy, nats per token: mean of the estimator K3,
  /// exp(-x) - 1 + x with x = log-probability minus the reference's. Only where the objective has a
  /// reference.
  std::optional<double> kl_to_reference = {};
  double clip_fraction = 0;      ///< tokens whose ratio is out of bounds and whose loss is clipped
  double gradient_norm = 0;      ///< before clipping, mean over updates
  double max_abs_log_ratio = 0;  ///< on the first minibatch, before any update: 0 if our kernels
                                 ///< give the same numbers in sampling and in training

  double staleness = 0;      ///< weight versions between the weights that a token was drawn from
                             ///< and those at the step's beginning, mean
  double staleness_max = 0;  ///< the same of the stalest trained token

  // Only where rollouts come from a store (AsyncReinforcement).
  std::optional<double> stale_groups = {};  ///< groups of the step that were too stale to train on
  std::optional<double> wait_seconds = {};  ///< in which the learner had no group to train on

  // Time of this rank.
  double rollout_seconds = 0;  ///< playing, with its tools, and rewards
  double score_seconds = 0;    ///< forward passes of `scored_positions`
  double update_seconds = 0;   ///< the rest

  /// Why no reward could teach anything in this step; empty where one could.
  std::string nothing_learned = {};

  // Rates of all ranks together: each divides what was done in a time by that time.
  double rollout_tokens_per_second() const { return rate(sampled_tokens, rollout_seconds); }
  double score_tokens_per_second() const { return rate(scored_positions, score_seconds); }
  double update_tokens_per_second() const { return rate(trained_positions, update_seconds); }

  /// Calls `visit(name, value)` for every number, in the order above; then, where `visit` takes
  /// texts too, for `nothing_learned` if it says something.
  template <class Visitor>
  void for_each(Visitor&& visit) const {
    visit("rollouts", rollouts);
    visit("aborted", aborted);
    visit("truncated", truncated);
    visit("live_groups", live_groups);
    visit("with_advantage", with_advantage);
    visit("replaced_groups", replaced_groups);
    visit("forks", forks);
    visit("fork_reward_mean", fork_reward_mean);
    visit("reward_mean", reward_mean);
    visit("answerer_tokens", answerer_tokens);
    visit("summarizer_tokens", summarizer_tokens);
    visit("summaries", summaries);
    visit("turns", turns);
    visit("compression", compression);
    visit("sampled_tokens", sampled_tokens);
    visit("tool_calls", tool_calls);
    visit("unknown_tool_calls", unknown_tool_calls);
    for (const ToolMetrics& tool : tools) {
      visit(std::string_view("calls_of_" + tool.name), tool.calls);
      visit(std::string_view("failures_of_" + tool.name), tool.failures);
      visit(std::string_view("timeouts_of_" + tool.name), tool.timeouts);
      visit(std::string_view("refusals_of_" + tool.name), tool.refusals);
    }
    visit("updates", updates);
    visit("learning_rate", learning_rate);
    visit("trained_tokens", trained_tokens);
    visit("trained_positions", trained_positions);
    visit("scored_positions", scored_positions);
    visit("loss", loss);
    visit("entropy", entropy);
    visit("ratio_mean", ratio_mean);
    if (kl_to_reference) visit("kl_to_reference", *kl_to_reference);
    visit("clip_fraction", clip_fraction);
    visit("gradient_norm", gradient_norm);
    visit("max_abs_log_ratio", max_abs_log_ratio);
    visit("staleness", staleness);
    visit("staleness_max", staleness_max);
    if (stale_groups) visit("stale_groups", *stale_groups);
    if (wait_seconds) visit("wait_seconds", *wait_seconds);
    visit("rollout_seconds", rollout_seconds);
    visit("score_seconds", score_seconds);
    visit("update_seconds", update_seconds);
    visit("rollout_tokens_per_second", rollout_tokens_per_second());
    visit("score_tokens_per_second", score_tokens_per_second());
    visit("update_tokens_per_second", update_tokens_per_second());
    if constexpr (std::invocable<Visitor&, std::string_view, std::string_view>)
      if (!nothing_learned.empty())
        visit(std::string_view("nothing_learned"), std::string_view(nothing_learned));
  }

 private:
  static double rate(double tokens, double seconds) { return seconds > 0 ? tokens / seconds : 0; }
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
  double live_groups = 0;
  double forks = 0;
  double counted_forks = 0;  ///< that were not aborted
  double fork_reward = 0;
  double sampled_tokens = 0;  ///< of everything that was played
  double with_advantage = 0;

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

  void add_fork(const Rollout& rollout) {
    forks += 1;
    if (rollout.status == RolloutStatus::aborted) return;
    counted_forks += 1;
    fork_reward += rollout.reward;
  }

  double counted() const { return rollouts - aborted; }

  /// Adds all ranks' sums and writes them and their means.
  template <class Collective>
  void describe(Collective& collective, StepMetrics& metrics) const {
    double all[] = {rollouts,        aborted,           truncated,     reward,
                    answerer_tokens, summarizer_tokens, summaries,     turns,
                    compression,     live_groups,       forks,         counted_forks,
                    fork_reward,     sampled_tokens,    with_advantage};
    collective.all_reduce_sum(std::span<double>(all));
    const double answered = std::max(1.0, all[0] - all[1]);
    const double summarized = std::max(1.0, all[6]);
    metrics.rollouts = all[0];
    metrics.aborted = all[1];
    metrics.truncated = all[2];
    metrics.reward_mean = all[3] / answered;
    metrics.answerer_tokens = all[4] / answered;
    metrics.summarizer_tokens = all[5] / summarized;
    metrics.summaries = all[6] / answered;
    metrics.turns = all[7] / answered;
    metrics.compression = all[8] / summarized;
    metrics.live_groups = all[9];
    metrics.forks = all[10];
    metrics.with_advantage = all[14];
    metrics.fork_reward_mean = all[12] / std::max(1.0, all[11]);
    metrics.sampled_tokens = all[13];
  }

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

/// Counts the tool calls of these rollouts, of all ranks, into `metrics`. `metrics.tools` holds the
/// names already, the same on every rank.
template <class Collective>
void describe_tools(std::span<const Rollout> rollouts, Collective& collective,
                    StepMetrics& metrics) {
  const std::size_t tools = metrics.tools.size();
  std::vector<double> counts(4 * tools + 1, 0.0);  // calls, failures, timeouts, refusals; unknown
  for (const Rollout& rollout : rollouts)
    for (const ToolUse& use : rollout.tool_uses) {
      std::size_t tool = 0;
      while (tool < tools && metrics.tools[tool].name != use.tool) ++tool;
      counts[4 * tool] += 1;
      if (tool == tools) continue;
      const bool timed_out = use.status == ToolStatus::timed_out;
      counts[4 * tool + 1] += timed_out || use.status == ToolStatus::failed ? 1 : 0;
      counts[4 * tool + 2] += timed_out ? 1 : 0;
      counts[4 * tool + 3] += use.status == ToolStatus::bad_arguments ? 1 : 0;
    }
  collective.all_reduce_sum(std::span<double>(counts));
  metrics.tool_calls = metrics.unknown_tool_calls = counts.back();
  for (std::size_t tool = 0; tool < tools; ++tool) {
    const double* const count = &counts[4 * tool];
    metrics.tools[tool].calls = count[0];
    metrics.tools[tool].failures = count[1];
    metrics.tools[tool].timeouts = count[2];
    metrics.tools[tool].refusals = count[3];
    metrics.tool_calls += count[0];
  }
}

/// Sums over trained tokens, minibatches and models of one step, on one rank.
struct UpdateSums {
  bool has_reference = false;  ///< whether the minibatches have a reference policy's scores
  double tokens = 0, positions = 0, loss = 0, entropy = 0, ratio = 0, clipped = 0, kl = 0;
  double scored_positions = 0, staleness = 0;
  double max_abs_log_ratio = 0;  // fresh minibatch only
  double staleness_max = 0;
  double updates = 0, gradient_norm = 0;  // equal on all ranks

  /// Adds one minibatch that was trained on a loops::ComposedLoss; `fresh` says that no update came
  /// before it in this step.
  template <class Objective>
  void add(const PackedBatch& batch, const TokenOutputs& outputs, const Objective& objective,
           bool fresh) {
    positions += static_cast<double>(batch.size());
    const loops::TokenColumns columns = BatchColumns(batch).loss;
    for (std::size_t t = 0; t < batch.size(); ++t) {
      if (!kernels::is_trained(batch.loss_weight[t])) continue;
      const double log_ratio = outputs.log_prob[t] - static_cast<double>(batch.old_log_prob[t]);
      const double from_sampler =
          outputs.log_prob[t] - static_cast<double>(batch.sampler_log_prob[t]);
      tokens += 1;
      loss += outputs.loss[t];
      entropy += outputs.entropy[t];
      ratio += kernels::ratio_of(log_ratio);
      const TokenPrediction now{outputs.log_prob[t], outputs.entropy[t], outputs.value[t]};
      clipped += objective.clips(columns, t, now) ? 1 : 0;
      const auto stale = static_cast<double>(batch.staleness_of(t));
      staleness += stale;
      staleness_max = std::max(staleness_max, stale);
      if (fresh) max_abs_log_ratio = std::max(max_abs_log_ratio, std::abs(from_sampler));
      if (has_reference) kl += from_reference(outputs.log_prob[t], batch.reference_log_prob[t]);
    }
  }

  /// Adds all ranks' sums and writes them and their means.
  template <class Collective>
  void describe(Collective& collective, StepMetrics& metrics) const {
    double all[] = {tokens,  positions,        loss,      entropy, ratio,
                    clipped, scored_positions, staleness, kl};
    collective.all_reduce_sum(std::span<double>(all));
    std::vector<double> largest(2 * collective.size(), 0.0);  // of each rank: log-ratio, staleness
    largest[2 * collective.rank()] = max_abs_log_ratio;
    largest[2 * collective.rank() + 1] = staleness_max;
    collective.all_reduce_sum(std::span<double>(largest));
    const double trained = std::max(1.0, all[0]);
    metrics.updates = updates;
    metrics.trained_tokens = all[0];
    metrics.trained_positions = all[1];
    metrics.loss = all[2] / trained;
    metrics.entropy = all[3] / trained;
    metrics.ratio_mean = all[4] / trained;
    metrics.clip_fraction = all[5] / trained;
    metrics.scored_positions = all[6];
    metrics.staleness = all[7] / trained;
    if (has_reference) metrics.kl_to_reference = all[8] / trained;
    metrics.gradient_norm = gradient_norm / std::max(1.0, updates);
    for (std::size_t rank = 0; rank < collective.size(); ++rank) {
      metrics.max_abs_log_ratio = std::max(metrics.max_abs_log_ratio, largest[2 * rank]);
      metrics.staleness_max = std::max(metrics.staleness_max, largest[2 * rank + 1]);
    }
  }

 private:
  /// The estimator K3 of one token.
  static double from_reference(double log_prob, float reference_log_prob) {
    const double log_ratio = log_prob - static_cast<double>(reference_log_prob);
    return kernels::kl3(kernels::Dual<double, 1>(log_ratio)).value;
  }
};

}  // namespace dualagent
