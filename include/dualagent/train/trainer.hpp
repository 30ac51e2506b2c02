#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "dualagent/collective/local.hpp"
#include "dualagent/core/random.hpp"
#include "dualagent/kernels/mask.inl"
#include "dualagent/objective/batch_loss.hpp"
#include "dualagent/reward/reward.hpp"
#include "dualagent/rollout/scheduler.hpp"
#include "dualagent/train/recipe.hpp"
#include "dualagent/train/step_metrics.hpp"
#include "dualagent/train/training_rows.hpp"
#include "dualagent/train/weight_updater.hpp"

namespace dualagent {

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
/// updates and their counts, unless the objective has a regularizer.
/// Errors: sampling and update errors propagate; weights are untouched by a failed minibatch.
///
/// Example:
///   Trainer trainer{SharedWeights{model}, protocol, ExactMatch{}, Recipe{Dapo{}},
///                   LocalCollective{}, {.group_size = 8, .seed = 7}};
///   StepMetrics metrics = trainer.step(tasks);
template <class Pairing, class Protocol, class Reward, class Recipe,
          class Collective = LocalCollective>
class Trainer {
  static_assert(check_reward<Reward>());
  static_assert(check_objective<decltype(Recipe::objective)>());
  static_assert(check_training_view<decltype(Recipe::view)>());
  static_assert(check_recipe<Recipe>());
  static_assert(check_collective<Collective>());

 public:
  Trainer(Pairing pairing, Protocol protocol, Reward reward, Recipe recipe,
          Collective collective = {}, TrainerOptions options = {})
      : pairing_(pairing),
        reward_(std::move(reward)),
        recipe_(std::move(recipe)),
        loss_(recipe_.objective),
        collective_(std::move(collective)),
        options_(std::move(options)),
        scheduler_(pairing, std::move(protocol), options_.scheduler),
        updaters_(make_updaters(pairing_, options_.update)),
        references_(make_references<kHasReference>(pairing_)) {
    if (options_.group_size == 0 || options_.minibatches == 0 || options_.epochs == 0)
      throw Error("group_size, minibatches and epochs must be at least 1", "TrainerOptions");
    if (compares_group<decltype(Recipe::objective.advantage)>() && options_.group_size < 2)
      throw Error("group_size is 1, but the advantage estimator compares the rollouts of a group",
                  "TrainerOptions", "Use groups of at least 2, or Whitened<RawReward>");
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
    whiten_advantages();
    score_old_and_reference();
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
      if constexpr (kHasReference) {
        const auto parameters = std::get<index>(references_)->parameters();
        using Scalar = typename decltype(parameters)::element_type;
        checkpoint.arrays["model" + std::to_string(index) + ".reference"] =
            std::span<const Scalar>(parameters);
      }
    });
    checkpoint.texts["trainer.steps"] = std::to_string(step_);
  }

  /// Goes on where `save` was called: the following steps have the same bits as without a break.
  /// Errors: Error when the checkpoint is of another kind of pair or of models of another shape.
  void load(const StoredCheckpoint& checkpoint) {
    for_each_model(pairing_, [&](auto&, auto index) {
      std::get<index>(updaters_).load(checkpoint, "model" + std::to_string(index));
      if constexpr (kHasReference) {
        auto& reference = *std::get<index>(references_);
        checkpoint.copy_to("model" + std::to_string(index) + ".reference", reference.parameters());
        reference.weights_changed();
      }
    });
    step_ = checkpoint.number("trainer.steps");
  }

 private:
  using ObjectiveOf = decltype(Recipe::objective);
  static constexpr bool kHasReference = needs_reference<decltype(ObjectiveOf::regularizer)>();
  static constexpr bool kScoresOld = needs_sampler_log_probs<decltype(ObjectiveOf::correction)>();
  /// Without a regularizer a rollout of advantage 0 has no gradient.
  static constexpr bool kHasRegularizer =
      !std::is_same_v<std::remove_cv_t<decltype(ObjectiveOf::regularizer)>, NoRegularizer>;
  static constexpr bool kAgentsApart = AggregatesAgentsApart<decltype(Recipe::view)>;

  using Parts = std::array<double, 2>;                 // trained tokens of each part
  using Origin = std::pair<std::size_t, std::size_t>;  // rollout, segment
  using Scored = std::map<Origin, std::vector<float>>;

  /// Sums over trained tokens, minibatches and models of one step, on this rank.
  struct UpdateSums {
    double tokens = 0, positions = 0, loss = 0, entropy = 0, ratio = 0, clipped = 0;
    double max_abs_log_ratio = 0;           // of this rank, fresh minibatch only
    double updates = 0, gradient_norm = 0;  // equal on all ranks
  };

  static auto make_updaters(const Pairing& pairing, const UpdateOptions& options) {
    return std::apply(
        [&](auto&... models) {
          static_assert(
              (check_recipe_for<Recipe, std::remove_reference_t<decltype(models)>>() && ...));
          return std::tuple<WeightUpdater<std::remove_reference_t<decltype(models)>>...>{
              {models, options}...};
        },
        pairing.models());
  }

  /// Frozen copies of the models as they are now, or nothing.
  template <bool wanted>
  static auto make_references(const Pairing& pairing) {
    return std::apply(
        [](auto&... models) {
          if constexpr (wanted)
            return std::make_tuple(
                std::make_unique<std::remove_reference_t<decltype(models)>>(models.copy())...);
          else
            return std::tuple<>{};
        },
        pairing.models());
  }

  static constexpr std::size_t part_of(AgentRole agent) {
    return kAgentsApart && agent == AgentRole::summarizer ? 1 : 0;
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

  bool takes_part(std::size_t i) const {
    return rollouts_[i].status != RolloutStatus::aborted &&
           (kHasRegularizer || advantages_[i] != 0.0);
  }

  /// Mean 0 and variance 1 over all trained tokens of all ranks.
  void whiten_advantages() {
    if constexpr (whitens<decltype(ObjectiveOf::advantage)>()) {
      double sums[] = {0.0, 0.0};  // tokens, advantage
      std::vector<double> tokens(rollouts_.size(), 0.0);
      for (std::size_t i = 0; i < rollouts_.size(); ++i) {
        if (rollouts_[i].status == RolloutStatus::aborted) continue;
        for (std::size_t s = 0; s < rollouts_[i].segments.size(); ++s)
          tokens[i] += static_cast<double>(count_trained(
              rollouts_[i].segments[s], [&](const Span& span) { return trains(i, s, span); }));
        sums[0] += tokens[i];
        sums[1] += tokens[i] * advantages_[i];
      }
      collective_.all_reduce_sum(std::span<double>(sums));
      const double mean = sums[1] / std::max(1.0, sums[0]);
      double squares[] = {0.0};
      for (std::size_t i = 0; i < rollouts_.size(); ++i)
        squares[0] += tokens[i] * (advantages_[i] - mean) * (advantages_[i] - mean);
      collective_.all_reduce_sum(std::span<double>(squares));
      const double variance = squares[0] / std::max(1.0, sums[0] - 1.0);
      for (std::size_t i = 0; i < rollouts_.size(); ++i)
        if (rollouts_[i].status != RolloutStatus::aborted)
          advantages_[i] = (advantages_[i] - mean) / std::sqrt(variance + 1e-8);
    }
  }

  bool trains(std::size_t rollout, std::size_t segment, const Span& span) const {
    return span.is_sampled() && recipe_.view.trains(rollouts_[rollout], segment, span);
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
      if (local < rollouts_.size() && takes_part(local))
        members_[position * options_.minibatches / order.size()].push_back(local);
    }
  }

  template <class Updater>
  void update(Updater& updater, std::size_t model, std::size_t minibatch, bool fresh,
              double learning_rate_scale, UpdateSums& sums) {
    pack(model, members_[minibatch]);
    if (trained_tokens_ == 0) return;
    if constexpr (needs_present_log_probs<ObjectiveOf>()) {
      outputs_.resize(batch_.size());
      if (batch_.rows() > 0) updater.model().score(batch_, outputs_);
    }
    loss_.prepare(batch_, outputs_.log_prob);
    d_log_prob_.assign(batch_.size(), 0.0);
    const auto loss = [&](std::size_t t, double log_prob, double entropy) {
      const TokenLossGradient gradient = loss_.token(batch_, t, log_prob, entropy);
      d_log_prob_[t] = gradient.d_log_prob;
      return gradient;
    };
    sums.gradient_norm += updater.update(batch_, loss, outputs_, collective_, learning_rate_scale);
    sums.updates += 1;
    add_token_sums(fresh, sums);
  }

  /// Calls visit(rollout, segment, trained tokens of each part) for every row that `model` trains;
  /// a part is an agent where the view aggregates them apart, else there is one.
  template <class Visit>
  void for_each_row(std::size_t model, const std::vector<std::size_t>& members, Visit&& visit) {
    for (const std::size_t i : members)
      for (std::size_t s = 0; s < rollouts_[i].segments.size(); ++s) {
        const Segment& segment = rollouts_[i].segments[s];
        if (Pairing::model_of(segment.owner) != model) continue;
        Parts tokens{};
        for (const Span& span : segment.context.spans())
          if (trains(i, s, span)) tokens[part_of(span.agent)] += static_cast<double>(span.size);
        if (tokens[0] + tokens[1] > 0) visit(i, s, tokens);
      }
  }

  /// Fills `batch_` with the rows of these rollouts that the model owns, weighted by the
  /// aggregation; counts go over all ranks.
  void pack(std::size_t model, const std::vector<std::size_t>& members) {
    rollout_tokens_.assign(rollouts_.size(), {});
    std::array<double, 6> counts{};  // tokens, rollouts, segments of each part
    for_each_row(model, members, [&](std::size_t i, std::size_t, const Parts& tokens) {
      for (std::size_t part = 0; part < tokens.size(); ++part) {
        if (tokens[part] == 0) continue;
        counts[part] += tokens[part];
        counts[2 + part] += rollout_tokens_[i][part] == 0 ? 1.0 : 0.0;
        counts[4 + part] += 1.0;
        rollout_tokens_[i][part] += tokens[part];
      }
    });
    collective_.all_reduce_sum(std::span<double>(counts));
    trained_tokens_ = counts[0] + counts[1];
    clear_batch();
    for_each_row(model, members, [&](std::size_t i, std::size_t s, const Parts& tokens) {
      const auto weight = [&](AgentRole agent) {
        const std::size_t part = part_of(agent);
        if (tokens[part] == 0) return 0.0F;
        const TokenCounts here{counts[part], counts[2 + part], counts[4 + part],
                               rollout_tokens_[i][part], tokens[part]};
        double value = recipe_.objective.aggregation.weight(here);
        if constexpr (kAgentsApart) value *= recipe_.view.agent_weight(agent);
        return static_cast<float>(value);
      };
      append_row(i, s, {weight(AgentRole::answerer), weight(AgentRole::summarizer)});
    });
  }

  void clear_batch() {
    batch_.clear();
    batch_.temperature = options_.sampling.answerer.temperature;
    origins_.clear();
  }

  void append_row(std::size_t i, std::size_t s, AgentWeights weights) {
    append_training_row(batch_, rollouts_[i].segments[s],
                        [&](const Span& span) { return trains(i, s, span); },
                        {.loss_weight = weights,
                         .advantage = static_cast<float>(advantages_[i]),
                         .rollout = static_cast<std::uint32_t>(i)});
    origins_.push_back({i, s});
    const std::size_t row = batch_.rows() - 1;
    if constexpr (kScoresOld) restore(scored_old_, row, batch_.old_log_prob);
    if constexpr (kHasReference) restore(scored_reference_, row, batch_.reference_log_prob);
  }

  /// Log-probabilities of the step's trained tokens under the policy at its beginning and under
  /// the reference policy, where the objective asks for them.
  void score_old_and_reference() {
    if constexpr (kScoresOld || kHasReference) {
      scored_old_.clear();
      scored_reference_.clear();
      std::vector<std::size_t> members;
      for (std::size_t i = 0; i < rollouts_.size(); ++i)
        if (takes_part(i)) members.push_back(i);
      for_each_model(pairing_, [&](auto& model, auto index) {
        clear_batch();
        for_each_row(index, members, [&](std::size_t i, std::size_t s, const Parts&) {
          append_training_row(batch_, rollouts_[i].segments[s],
                              [&](const Span& span) { return trains(i, s, span); }, {});
          origins_.push_back({i, s});
        });
        if (batch_.rows() == 0) return;
        if constexpr (kScoresOld) score(model, scored_old_);
        if constexpr (kHasReference) score(*std::get<index>(references_), scored_reference_);
      });
    }
  }

  template <class Model>
  void score(Model& model, Scored& scored) {
    outputs_.resize(batch_.size());
    model.score(batch_, outputs_);
    for (std::size_t row = 0; row < batch_.rows(); ++row)
      scored[origins_[row]].assign(
          outputs_.log_prob.begin() + static_cast<std::ptrdiff_t>(batch_.row_begin[row]),
          outputs_.log_prob.begin() + static_cast<std::ptrdiff_t>(batch_.row_begin[row + 1]));
  }

  void restore(const Scored& scored, std::size_t row, std::vector<float>& column) const {
    const std::vector<float>& values = scored.at(origins_[row]);
    std::copy(values.begin(), values.end(),
              column.begin() + static_cast<std::ptrdiff_t>(batch_.row_begin[row]));
  }

  void add_token_sums(bool fresh, UpdateSums& sums) const {
    sums.positions += static_cast<double>(batch_.size());
    for (std::size_t t = 0; t < batch_.size(); ++t) {
      if (!kernels::is_trained(batch_.loss_weight[t])) continue;
      const double log_ratio = outputs_.log_prob[t] - static_cast<double>(batch_.old_log_prob[t]);
      const double from_sampler =
          outputs_.log_prob[t] - static_cast<double>(batch_.sampler_log_prob[t]);
      sums.tokens += 1;
      sums.loss += outputs_.loss[t];
      sums.entropy += outputs_.entropy[t];
      sums.ratio += std::exp(log_ratio);
      sums.clipped += d_log_prob_[t] == 0.0 ? 1 : 0;
      if (fresh) sums.max_abs_log_ratio = std::max(sums.max_abs_log_ratio, std::abs(from_sampler));
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
  BatchLoss<ObjectiveOf> loss_;
  Collective collective_;
  TrainerOptions options_;
  RolloutScheduler<Pairing, Protocol> scheduler_;
  decltype(make_updaters(std::declval<const Pairing&>(), {})) updaters_;
  decltype(make_references<kHasReference>(std::declval<const Pairing&>())) references_;
  std::size_t step_ = 0;

  // Of the current step; kept to reuse their memory.
  std::size_t first_group_ = 0;
  std::vector<Rollout> rollouts_;                  // [groups of this rank * group_size]
  std::vector<double> advantages_;                 // [rollouts]; 0 also for aborted ones
  std::vector<std::vector<std::size_t>> members_;  // [minibatches] rollouts of this rank
  std::vector<Parts> rollout_tokens_;              // [rollouts] trained in this minibatch
  double trained_tokens_ = 0;                      // of the minibatch, over all ranks
  PackedBatch batch_;
  std::vector<Origin> origins_;  // [rows] of the batch
  Scored scored_old_, scored_reference_;
  TokenOutputs outputs_;
  std::vector<double> d_log_prob_;  // [T]
};

}  // namespace dualagent
