#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "dualagent/collective/local.hpp"
#include "dualagent/core/random.hpp"
#include "dualagent/kernels/mask.inl"
#include "dualagent/objective/objective.hpp"
#include "dualagent/reward/reward.hpp"
#include "dualagent/rollout/scheduler.hpp"
#include "dualagent/summary/view.hpp"
#include "dualagent/train/step_metrics.hpp"
#include "dualagent/train/training_rows.hpp"
#include "dualagent/train/weight_updater.hpp"

namespace dualagent {

/// What is optimised, and on which tokens: an objective and a training view.
template <class Objective, class View = AllSegments>
struct Recipe {
  Objective objective;
  View view = {};
};
template <class Objective>
Recipe(Objective) -> Recipe<Objective>;
template <class Objective, class View>
Recipe(Objective, View) -> Recipe<Objective, View>;

struct TrainerOptions {
  std::size_t group_size = 8;   ///< rollouts of one task
  std::size_t minibatches = 2;  ///< updates per epoch; whole rollouts are dealt to them
  std::size_t epochs = 1;       ///< passes over the same rollouts
  RolloutSampling sampling = {};
  UpdateOptions update = {};
  SchedulerOptions scheduler = {};
  std::uint64_t seed = 0;
};

/// Trains a pair of agents with reinforcement learning on what was really sampled.
///
/// One step: play `group_size` rollouts of each task, score them, compare them within their group,
/// and update every model of the pair on the tokens that the view selects.
///
/// Several ranks: give every rank the same options, equal weights, the same tasks and its handle of
/// one collective; each plays a contiguous share of the groups, gradients and counts are summed.
/// Determinism: a step depends on weights, tasks, seed and step number; the number of ranks changes
/// rounding only; threads and timing change nothing.
/// Groups whose rewards are all equal have advantage 0 for every token; they are left out of the
/// updates and their counts.
/// Errors: sampling and update errors propagate; weights are untouched by a failed minibatch.
///
/// Example:
///   Trainer trainer{SharedWeights{model}, protocol, ExactMatch{}, Recipe{Grpo{}},
///                   LocalCollective{}, {.group_size = 8, .seed = 7}};
///   StepMetrics metrics = trainer.step(tasks);
template <class Pairing, class Protocol, class Reward, class Recipe,
          class Collective = LocalCollective>
class Trainer {
  static_assert(check_reward<Reward>());
  static_assert(check_objective<decltype(Recipe::objective)>());
  static_assert(check_training_view<decltype(Recipe::view)>());
  static_assert(check_collective<Collective>());

 public:
  Trainer(Pairing pairing, Protocol protocol, Reward reward, Recipe recipe,
          Collective collective = {}, TrainerOptions options = {})
      : pairing_(pairing),
        reward_(std::move(reward)),
        recipe_(std::move(recipe)),
        collective_(std::move(collective)),
        options_(std::move(options)),
        scheduler_(pairing, std::move(protocol), options_.scheduler),
        updaters_(make_updaters(pairing_, options_.update)) {
    if (options_.group_size == 0 || options_.minibatches == 0 || options_.epochs == 0)
      throw Error("group_size, minibatches and epochs must be at least 1", "TrainerOptions");
  }

  /// One step on the given tasks, the same on every rank.
  StepMetrics step(std::span<const Task> tasks, double learning_rate_scale = 1.0) {
    const RandomStream random = RandomStream::from_seed(options_.seed).child(step_);
    StepMetrics metrics;
    metrics.step = step_;
    const auto start = std::chrono::steady_clock::now();
    play(tasks, random.child(0));
    estimate_advantages();
    describe_rollouts(metrics);
    const auto middle = std::chrono::steady_clock::now();
    UpdateSums sums;
    for (std::size_t epoch = 0; epoch < options_.epochs; ++epoch) {
      deal_minibatches(tasks.size(), random.child(1 + epoch));
      for (std::size_t minibatch = 0; minibatch < options_.minibatches; ++minibatch)
        for_each_model(pairing_, [&](auto&, auto index) {
          update(std::get<index>(updaters_), index, minibatch, epoch == 0 && minibatch == 0,
                 learning_rate_scale, sums);
        });
    }
    describe_updates(metrics, sums);
    const auto end = std::chrono::steady_clock::now();
    metrics.rollout_seconds = std::chrono::duration<double>(middle - start).count();
    metrics.update_seconds = std::chrono::duration<double>(end - middle).count();
    ++step_;
    return metrics;
  }

  /// Number of steps done.
  std::size_t steps_done() const { return step_; }
  /// This rank's rollouts of the last step, in order of group and member.
  std::span<const Rollout> rollouts() const { return rollouts_; }
  /// Plays tasks with the trainer's pair and protocol, e.g. for evaluation.
  RolloutScheduler<Pairing, Protocol>& scheduler() { return scheduler_; }

  /// Adds all that a run needs to go on: every model's weights and moments, and the number of steps
  /// done, from which all random streams follow. Nothing else outlives a step.
  void save(Checkpoint& checkpoint) const {
    for_each_model(pairing_, [&](auto&, auto index) {
      std::get<index>(updaters_).save(checkpoint, "model" + std::to_string(index));
    });
    checkpoint.texts["trainer.steps"] = std::to_string(step_);
  }

  /// Goes on where `save` was called: the following steps have the same bits as without a break.
  /// Errors: Error when the checkpoint is of another kind of pair or of models of another shape.
  void load(const StoredCheckpoint& checkpoint) {
    for_each_model(pairing_, [&](auto&, auto index) {
      std::get<index>(updaters_).load(checkpoint, "model" + std::to_string(index));
    });
    step_ = checkpoint.number("trainer.steps");
  }

 private:
  /// Sums over trained tokens, minibatches and models of one step, on this rank.
  struct UpdateSums {
    double tokens = 0, positions = 0, loss = 0, entropy = 0, ratio = 0, clipped = 0;
    double max_abs_log_ratio = 0;           // of this rank, fresh minibatch only
    double updates = 0, gradient_norm = 0;  // equal on all ranks
  };

  static auto make_updaters(const Pairing& pairing, const UpdateOptions& options) {
    return std::apply(
        [&](auto&... models) {
          return std::tuple<WeightUpdater<std::remove_reference_t<decltype(models)>>...>{
              {models, options}...};
        },
        pairing.models());
  }

  std::size_t first_group_of(std::size_t rank, std::size_t groups) const {
    return groups * rank / collective_.size();
  }

  void play(std::span<const Task> tasks, const RandomStream& random) {
    first_group_ = first_group_of(collective_.rank(), tasks.size());
    const std::size_t end = first_group_of(collective_.rank() + 1, tasks.size());
    const std::span<const Task> mine = tasks.subspan(first_group_, end - first_group_);
    rollouts_ = scheduler_.run(mine, options_.group_size, options_.sampling, random, first_group_);
    for (std::size_t i = 0; i < rollouts_.size(); ++i)
      score_rollout(reward_, mine[i / options_.group_size], rollouts_[i]);
  }

  /// One baseline entry per logical rollout; aborted rollouts are left out.
  void estimate_advantages() {
    std::vector<double> rewards;
    std::vector<std::size_t> group_begin{0};
    for (std::size_t begin = 0; begin < rollouts_.size(); begin += options_.group_size) {
      for (std::size_t i = begin; i < begin + options_.group_size; ++i)
        if (rollouts_[i].status != RolloutStatus::aborted) rewards.push_back(rollouts_[i].reward);
      group_begin.push_back(rewards.size());
    }
    std::vector<double> estimates(rewards.size());
    recipe_.objective.advantage.estimate(rewards, group_begin, estimates);
    advantages_.assign(rollouts_.size(), 0.0);
    std::size_t next = 0;
    for (std::size_t i = 0; i < rollouts_.size(); ++i)
      if (rollouts_[i].status != RolloutStatus::aborted) advantages_[i] = estimates[next++];
  }

  /// Deals whole rollouts to minibatches, the same way on every rank.
  void deal_minibatches(std::size_t groups, const RandomStream& random) {
    std::vector<std::size_t> order(groups * options_.group_size);
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    shuffle(std::span<std::size_t>(order), random);
    members_.assign(options_.minibatches, {});
    const std::size_t begin = first_group_ * options_.group_size;
    for (std::size_t position = 0; position < order.size(); ++position) {
      const std::size_t local = order[position] - begin;  // wraps below `begin`
      if (local < rollouts_.size() && advantages_[local] != 0.0)
        members_[position * options_.minibatches / order.size()].push_back(local);
    }
  }

  template <class Updater>
  void update(Updater& updater, std::size_t model, std::size_t minibatch, bool fresh,
              double learning_rate_scale, UpdateSums& sums) {
    pack(model, members_[minibatch]);
    if (counts_.tokens == 0) return;
    d_log_prob_.assign(batch_.size(), 0.0);
    const auto loss = [&](std::size_t t, double log_prob, double entropy) {
      const TokenLossGradient gradient = differentiate(
          recipe_.objective.loss, TokenTerms<double>{.log_prob = log_prob,
                                                     .entropy = entropy,
                                                     .old_log_prob = batch_.old_log_prob[t],
                                                     .advantage = batch_.advantage[t]});
      d_log_prob_[t] = gradient.d_log_prob;
      return gradient;
    };
    sums.gradient_norm += updater.update(batch_, loss, outputs_, collective_, learning_rate_scale);
    sums.updates += 1;
    add_token_sums(fresh, sums);
  }

  /// Fills `batch_` with the rows of these rollouts that the model owns, weighted by the
  /// aggregation; counts go over all ranks.
  void pack(std::size_t model, const std::vector<std::size_t>& members) {
    const auto for_each_row = [&](auto&& visit) {
      for (const std::size_t i : members) {
        const Rollout& rollout = rollouts_[i];
        for (std::size_t s = 0; s < rollout.segments.size(); ++s) {
          if (Pairing::model_of(rollout.segments[s].owner) != model) continue;
          const auto trains = [&rollout, s, this](const Span& span) {
            return span.is_sampled() && recipe_.view.trains(rollout, s, span);
          };
          const std::size_t tokens = count_trained(rollout.segments[s], trains);
          if (tokens > 0) visit(i, rollout.segments[s], tokens, trains);
        }
      }
    };
    rollout_tokens_.assign(rollouts_.size(), 0);
    double counts[] = {0.0, 0.0, 0.0};  // tokens, rollouts, segments
    for_each_row([&](std::size_t i, const Segment&, std::size_t tokens, const auto&) {
      counts[0] += static_cast<double>(tokens);
      counts[1] += rollout_tokens_[i] == 0 ? 1.0 : 0.0;
      counts[2] += 1.0;
      rollout_tokens_[i] += tokens;
    });
    collective_.all_reduce_sum(std::span<double>(counts));
    counts_ = {.tokens = counts[0], .rollouts = counts[1], .segments = counts[2]};
    batch_.clear();
    batch_.temperature = options_.sampling.answerer.temperature;
    for_each_row(
        [&](std::size_t i, const Segment& segment, std::size_t tokens, const auto& trains) {
          TokenCounts counts_here = counts_;
          counts_here.rollout_tokens = static_cast<double>(rollout_tokens_[i]);
          counts_here.segment_tokens = static_cast<double>(tokens);
          append_training_row(
              batch_, segment, trains,
              {.loss_weight = static_cast<float>(recipe_.objective.aggregation.weight(counts_here)),
               .advantage = static_cast<float>(advantages_[i]),
               .rollout = static_cast<std::uint32_t>(i)});
        });
  }

  void add_token_sums(bool fresh, UpdateSums& sums) const {
    sums.positions += static_cast<double>(batch_.size());
    for (std::size_t t = 0; t < batch_.size(); ++t) {
      if (!kernels::is_trained(batch_.loss_weight[t])) continue;
      const double log_ratio = outputs_.log_prob[t] - static_cast<double>(batch_.old_log_prob[t]);
      sums.tokens += 1;
      sums.loss += outputs_.loss[t];
      sums.entropy += outputs_.entropy[t];
      sums.ratio += std::exp(log_ratio);
      sums.clipped += d_log_prob_[t] == 0.0 ? 1 : 0;
      if (fresh) sums.max_abs_log_ratio = std::max(sums.max_abs_log_ratio, std::abs(log_ratio));
    }
  }

  void describe_rollouts(StepMetrics& metrics) {
    RolloutSums sums;
    for (const Rollout& rollout : rollouts_) sums.add(rollout);
    double live = 0;
    for (std::size_t begin = 0; begin < rollouts_.size(); begin += options_.group_size)
      live += std::any_of(
          advantages_.begin() + static_cast<std::ptrdiff_t>(begin),
          advantages_.begin() + static_cast<std::ptrdiff_t>(begin + options_.group_size),
          [](double advantage) { return advantage != 0.0; });
    double all[] = {sums.rollouts,        sums.aborted,
                    sums.truncated,       sums.reward,
                    sums.answerer_tokens, sums.summarizer_tokens,
                    sums.summaries,       sums.turns,
                    sums.compression,     live};
    collective_.all_reduce_sum(std::span<double>(all));
    const double counted = std::max(1.0, all[0] - all[1]);
    const double summaries = std::max(1.0, all[6]);
    metrics.rollouts = all[0];
    metrics.aborted = all[1];
    metrics.truncated = all[2];
    metrics.reward_mean = all[3] / counted;
    metrics.answerer_tokens = all[4] / counted;
    metrics.summarizer_tokens = all[5] / summaries;
    metrics.summaries = all[6] / counted;
    metrics.turns = all[7] / counted;
    metrics.compression = all[8] / summaries;
    metrics.live_groups = all[9];
  }

  void describe_updates(StepMetrics& metrics, const UpdateSums& sums) {
    double all[] = {sums.tokens, sums.positions, sums.loss, sums.entropy, sums.ratio, sums.clipped};
    collective_.all_reduce_sum(std::span<double>(all));
    std::vector<double> largest(collective_.size(), 0.0);
    largest[collective_.rank()] = sums.max_abs_log_ratio;
    collective_.all_reduce_sum(std::span<double>(largest));
    const double tokens = std::max(1.0, all[0]);
    metrics.updates = sums.updates;
    metrics.trained_tokens = all[0];
    metrics.trained_positions = all[1];
    metrics.loss = all[2] / tokens;
    metrics.entropy = all[3] / tokens;
    metrics.ratio_mean = all[4] / tokens;
    metrics.clip_fraction = all[5] / tokens;
    metrics.gradient_norm = sums.gradient_norm / std::max(1.0, sums.updates);
    metrics.max_abs_log_ratio = *std::max_element(largest.begin(), largest.end());
  }

  Pairing pairing_;
  Reward reward_;
  Recipe recipe_;
  Collective collective_;
  TrainerOptions options_;
  RolloutScheduler<Pairing, Protocol> scheduler_;
  decltype(make_updaters(std::declval<const Pairing&>(), {})) updaters_;
  std::size_t step_ = 0;

  // Of the current step; kept to reuse their memory.
  std::size_t first_group_ = 0;
  std::vector<Rollout> rollouts_;                  // [groups of this rank * group_size]
  std::vector<double> advantages_;                 // [rollouts]; 0 also for aborted ones
  std::vector<std::vector<std::size_t>> members_;  // [minibatches] rollouts of this rank
  std::vector<std::size_t> rollout_tokens_;        // [rollouts] trained in this minibatch
  TokenCounts counts_;
  PackedBatch batch_;
  TokenOutputs outputs_;
  std::vector<double> d_log_prob_;  // [T]
};

}  // namespace dualagent
