#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "dualagent/collective/local.hpp"
#include "dualagent/core/check.hpp"
#include "dualagent/core/random.hpp"
#include "dualagent/core/user_code.hpp"
#include "dualagent/loops/token_loss.inl"
#include "dualagent/objective/importance.hpp"
#include "dualagent/rollout/scheduler.hpp"
#include "dualagent/store/trajectory_store.hpp"
#include "dualagent/train/evaluation.hpp"
#include "dualagent/train/first_rank_reward.hpp"
#include "dualagent/train/minibatch.hpp"
#include "dualagent/train/model_group.hpp"
#include "dualagent/train/pair_learners.hpp"
#include "dualagent/train/recipe.hpp"
#include "dualagent/train/step_metrics.hpp"
#include "dualagent/train/step_review.hpp"
#include "dualagent/train/step_rollouts.hpp"
#include "dualagent/train/step_rows.hpp"
#include "dualagent/train/step_streams.hpp"
#include "dualagent/train/trainer_options.hpp"

namespace dualagent {

/// Trains a pair of agents with reinforcement learning on what was really sampled.
///
/// One step: play a group of rollouts of each task, score them, compare them within their group,
/// and update every model of the pair that learns on the tokens that the view selects. Where
/// another object samples for it, the new weights are published to that before anything is sampled
/// again.
///
/// Several ranks: give every rank the same options, equal weights, the same tasks and its handle of
/// one collective; each plays a contiguous share of the groups, gradients and counts are summed. Of
/// a Mesh this is its data axis: the ranks of a model group play the same share and compare it.
/// Determinism: a step depends on weights, tasks, seed and step number; the number of ranks changes
/// rounding only; threads and timing change nothing.
/// Denominators: the aggregation counts every rollout that was not aborted and of which the view
/// trains a token, also where its advantage is 0, as in a group whose rewards are all equal
/// (NonzeroAdvantageOnly leaves those out). Where such a rollout cannot have a gradient, the model
/// does not read it, and a minibatch of nothing else makes no update.
/// Errors: the constructor throws Error for options and values of policies that cannot be meant.
/// Sampling and update errors propagate, and say whether weights have changed in the step: a failed
/// update changes none, but those before it stay. What a policy throws and is not an Error becomes
/// one. What may be meant but looks wrong is said once (core/warning.hpp).
///
/// Example:
///   Trainer trainer{SharedWeights{model}, protocol, ExactMatch{}, Recipe{Dapo{}},
///                   LocalCollective{}, {.group_size = 8, .seed = 7}};
///   StepMetrics metrics = trainer.step(tasks);
template <class Pairing, class Protocol, class Reward, class Recipe,
          class Collective = LocalCollective, class Optimizer = AdamW>
class Trainer {
  static_assert(check_pairing<Pairing>());
  static_assert(check_protocol<Protocol>());
  static_assert(check_reward<Reward>());
  static_assert(check_recipe_parts<Recipe>());
  static_assert(check_objective<decltype(Recipe::objective)>());
  static_assert(check_training_view<decltype(Recipe::view)>());
  static_assert(check_recipe<Recipe>());
  static_assert(check_collective<Collective>());
  static_assert(check_recipe_for_pairing<Recipe, Pairing>());

 public:
  Trainer(Pairing pairing, Protocol protocol, Reward reward, Recipe recipe,
          Collective collective = {}, TrainerOptionsFor<Optimizer> options = {})
      : pairing_(pairing),
        reward_(std::move(reward)),
        recipe_(std::move(recipe)),
        collective_(std::move(collective)),
        options_(std::move(options)),
        group_size_(options_.group_size.value_or(group_size_of<Recipe>())),
        scheduler_(pairing, std::move(protocol), options_.scheduler),
        learners_(pairing_, options_.update, collective_),
        rollouts_(group_size_, options_.summary_forks) {
    check_options();
    members_.resize(options_.minibatches);
    learners_.publish();
  }
  /// The same on one rank.
  Trainer(Pairing pairing, Protocol protocol, Reward reward, Recipe recipe,
          TrainerOptionsFor<Optimizer> options)
      : Trainer(pairing, std::move(protocol), std::move(reward), std::move(recipe), Collective{},
                std::move(options)) {}

  /// One step on the given tasks, the same on every rank.
  ///
  /// Dynamic sampling: a group whose rewards are all equal teaches nothing; it is replaced by a
  /// group of the next task of `spare`, until every group's rewards differ or `spare` is used up.
  /// `StepMetrics::replaced_groups` says how many spare tasks were used.
  /// Source: Yu et al., "DAPO", 2025, section 3.2.
  /// Evaluation tasks do not compile. Errors, beside those of the class: Error for no tasks and for
  /// a `learning_rate_scale` that is negative, NaN or infinite.
  StepMetrics step(std::span<const Task> tasks, double learning_rate_scale = 1.0,
                   std::span<const Task> spare = {}) {
    return whole_step(learning_rate_scale, [&](StepMetrics& metrics, const RandomStream& random) {
      if (tasks.empty())
        throw Error("there are no tasks", "Trainer::step", "Give one task at least");
      metrics.replaced_groups = static_cast<double>(play_rollouts(tasks, spare, random));
    });
  }
  template <class Tasks>
  requires std::convertible_to<const Tasks&, std::span<const EvaluationTask>> StepMetrics
  step(const Tasks&, double = 1.0, std::span<const Task> = {}) {
    detail::refuse_evaluation_tasks<Tasks>();
    return {};
  }

  /// The same on groups that were played and scored elsewhere, as a store hands them out; every
  /// rank gets all. Their order changes nothing; those that a RolloutWorker plays of `tasks` with
  /// the weights of this step give the bits of `step(tasks)`. No groups make no update.
  /// Errors: as `step`; Error for a group of another `group_size` or with other `summary_forks`.
  StepMetrics step_on(std::span<const ClaimedGroup> groups, double learning_rate_scale = 1.0) {
    return whole_step(learning_rate_scale, [&](StepMetrics&, const RandomStream&) {
      rollouts_.take_groups(groups, collective_);
      require_same_rollouts(collective_, rollouts_.all());
    });
  }

  /// The versions of the weights that the two agents have now; 0 of one that is not trained.
  AgentVersions versions() const { return learners_.versions(); }
  /// How many weight versions a step makes at most: its updates of each model.
  std::size_t versions_per_step() const { return options_.minibatches * options_.epochs; }
  /// Number of steps done.
  std::size_t steps_done() const { return step_; }
  /// Rollouts of one task.
  std::size_t group_size() const { return group_size_; }
  /// This rank's rollouts of the last step, in order of group and member.
  std::span<const Rollout> rollouts() const { return rollouts_.originals(); }
  /// This rank's forks of them, in order of group.
  std::span<const Rollout> forks() const { return rollouts_.forks(); }
  /// Plays tasks with the trainer's pair, protocol and reward; nothing is trained. All evaluations
  /// draw the same random numbers, those of the seed. Errors: as dualagent::evaluate.
  Evaluation evaluate(std::span<const EvaluationTask> tasks, const RolloutSampling& sampling = {},
                      const EvaluationOptions& options = {}) {
    const RandomStream random = RandomStream::from_seed(options_.seed).child(~std::uint64_t{0});
    learners_.publish();
    return dualagent::evaluate(scheduler_, tasks, asked_reward<Pairing>(reward_, collective_),
                               sampling, random, options);
  }
  /// Plays tasks with the trainer's pair, at the weights of the last step, and its protocol.
  RolloutScheduler<Pairing, Protocol>& scheduler() { return scheduler_; }

  /// This rank's handle, which the trainer was given.
  Collective& collective() { return collective_; }

  /// Adds all that a run needs to go on: every model's weights and optimizer's state, the steps
  /// done, from which random streams follow, and the options that the numbers depend on. On a
  /// `Sharded` collective and over a model on several ranks all ranks must call it. Several
  /// trainers in one checkpoint need a `name` each. Errors: Error for a name that is taken, and for
  /// weights that are not finite.
  void save(Checkpoint& checkpoint, const std::string& name = {}) const {
    learners_.save(checkpoint, name, collective_);
    checkpoint.add(trainer_name(name) + ".steps", std::to_string(step_));
    checkpoint.add(trainer_name(name) + ".options", options_text(options_, group_size_));
  }

  /// The part of it that a RolloutWorker needs to sample for this trainer: weights and options.
  void save_weights(Checkpoint& checkpoint) const {
    learners_.save_weights(checkpoint, {}, collective_);
    checkpoint.add(trainer_name({}) + ".options", options_text(options_, group_size_));
  }

  /// Goes on where `save` was called: the next steps have the bits and versions of an unbroken run.
  /// Errors: Error when the checkpoint is of another kind of pair or of models of another shape, or
  /// of a trainer with other options. Another optimizer or learning rate is warned of: the steps
  /// are then others than without the break.
  void load(const StoredCheckpoint& checkpoint, const std::string& name = {}) {
    require_same_options(checkpoint, trainer_name(name) + ".options", options_, group_size_);
    const std::uint64_t steps = checkpoint.number(trainer_name(name) + ".steps");
    learners_.load(checkpoint, name);
    step_ = steps;
  }

 private:
  using ObjectiveOf = decltype(Recipe::objective);
  using Estimator = std::remove_cvref_t<decltype(ObjectiveOf::advantage)>;
  using Correction = std::remove_cvref_t<decltype(ObjectiveOf::correction)>;
  static constexpr bool kHasCritic = needs_critic<ObjectiveOf>();
  static constexpr bool kHasReference = needs_reference_policy<ObjectiveOf>();
  static constexpr bool kScoresOld = needs_sampler_log_probs<Correction>();
  static constexpr bool kAllAreRead = reads_all_rollouts<ObjectiveOf>();
  static constexpr ReferencePolicy kReference =
      kHasReference ? ReferencePolicy::kept : ReferencePolicy::none;

  static double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  static std::string trainer_name(const std::string& name) {
    return name.empty() ? "trainer" : name;
  }

  void check_options() const {
    options_.validate(group_size_);
    validate_recipe(recipe_, group_size_);
    validate_all(reward_);
    if (collective_.rank() >= collective_.size())
      throw Error("rank " + std::to_string(collective_.rank()) + " of " +
                      std::to_string(collective_.size()),
                  "the trainer's collective", "Ranks are numbered from 0 below size()");
    if constexpr (kHasCritic) learners_.require_value_heads();
  }

  template <class Call>
  decltype(auto) of_user(const char* whose, const Call& call) const {
    return call_user_code(
        whose, [&] { return "step " + std::to_string(step_); }, call);
  }

  /// A step on the rollouts that `take_rollouts(metrics, random)` leaves in `rollouts_`.
  template <class TakeRollouts>
  StepMetrics whole_step(double learning_rate_scale, const TakeRollouts& take_rollouts) {
    return learners_.name_changes([&] {
      return of_user("a model, an objective or a collective",
                     [&] { return try_step(learning_rate_scale, take_rollouts); });
    });
  }

  template <class TakeRollouts>
  StepMetrics try_step(double learning_rate_scale, const TakeRollouts& take_rollouts) {
    check_learning_rate_scale(learning_rate_scale);
    const StepStreams streams{options_.seed, step_};
    StepMetrics metrics;
    metrics.step = step_;
    for (const ToolSpec& spec : scheduler_.protocol().tools.specs())
      metrics.tools.push_back({.name = spec.name});
    learners_.begin_step();
    const auto start = std::chrono::steady_clock::now();
    take_rollouts(metrics, streams.rollouts());
    of_user("an advantage estimator",
            [&] { rollouts_.estimate_advantages(recipe_.objective.advantage); });
    rollouts_.describe(collective_, metrics);
    const auto middle = std::chrono::steady_clock::now();
    sums_ = {.has_reference = kHasReference};
    score_seconds_ = 0;
    of_user("a training view or an advantage estimator", [&] { collect_rows(); });
    for (std::size_t epoch = 0; epoch < options_.epochs; ++epoch) {
      rollouts_.assign_minibatches(members_, streams.minibatches(epoch));
      for (std::size_t minibatch = 0; minibatch < options_.minibatches; ++minibatch)
        learners_.for_each([&](auto& learner, std::size_t index) {
          update(learner, index, minibatch, epoch == 0 && minibatch == 0, learning_rate_scale);
        });
    }
    learners_.publish();
    sums_.describe(collective_, metrics);
    metrics.learning_rate = options_.update.optimizer.learning_rate * learning_rate_scale;
    metrics.rollout_seconds = std::chrono::duration<double>(middle - start).count();
    metrics.score_seconds = score_seconds_;
    metrics.update_seconds = seconds_since(middle) - score_seconds_;
    review_.look(metrics, rollouts_.all(), compares_group<Estimator>(), is_first_rank(collective_));
    ++step_;
    return metrics;
  }

  /// Plays a group of each task, replaces equal ones and forks histories.
  std::size_t play_rollouts(std::span<const Task> tasks, std::span<const Task> spare,
                            const RandomStream& random) {
    const auto run = [&](std::span<const RolloutStart> starts, const RandomStream& stream) {
      return scheduler_.run(starts, options_.sampling, stream);
    };
    decltype(auto) reward = asked_reward<Pairing>(reward_, collective_);
    rollouts_.play_groups(tasks, random, run, reward, collective_);
    const std::size_t replaced = rollouts_.replace_equal_groups(
        spare, StepStreams::replacements(random, tasks.size()), run, reward, collective_);
    rollouts_.fork(StepStreams::fork_choice(random, tasks.size()), random, run, reward);
    require_same_rollouts(collective_, rollouts_.all());
    return replaced;
  }

  /// Whether a rollout is counted by the aggregation.
  bool takes_part(std::size_t i) const {
    constexpr bool kNonzeroOnly = nonzero_advantage_only<decltype(ObjectiveOf::aggregation)>();
    return rollouts_.all()[i].status != RolloutStatus::aborted &&
           !(kNonzeroOnly && rollouts_.advantage(i).is_zero());
  }
  /// Whether the models must read a rollout that takes part.
  bool is_read(std::size_t i) const { return kAllAreRead || !rollouts_.advantage(i).is_zero(); }

  /// Everything that the step counts, with all that is known of it before the first update.
  void collect_rows() {
    rows_.clear();
    for (std::size_t i = 0; i < rollouts_.all().size(); ++i) {
      if (!takes_part(i)) continue;
      const Rollout& rollout = rollouts_.all()[i];
      rows_.append(
          rollout, i,
          [&](std::size_t segment, const Span& span) {
            const bool trains = is_trained(recipe_.view, rollout, segment, span);
            if (trains) require_trained_role<Pairing>(rollout, segment);
            return trains;
          },
          [&](std::size_t segment, const Span& span) {
            return rollouts_.advantage(i).of(segment, span);
          },
          [](AgentRole owner) { return Pairing::model_of(owner); });
    }
    if constexpr (kScoresOld || kHasCritic || kHasReference)
      learners_.for_each([&](auto& learner, std::size_t index) { score_rows(learner, index); });
    if constexpr (CreditsTokens<Estimator>) rows_.credit_tokens(recipe_.objective.advantage);
    if constexpr (whitens<Estimator>()) rows_.whiten(collective_);
  }

  /// What the model says at the beginning of the step, and what its frozen reference says.
  template <class Learner>
  void score_rows(Learner& learner, std::size_t index) {
    clear_batch(learner.version_at_step);
    const std::vector<std::size_t> chosen = rows_.copy_rows(
        index, [&](std::size_t i) { return is_read(i); }, batch_);
    if (chosen.empty()) return;
    PackedBatch& all = rows_.batch;
    if constexpr (kScoresOld || kHasCritic) {
      score_batch(learner, learner.updater.model());
      if constexpr (kScoresOld) rows_.fill(all.old_log_prob, chosen, outputs_.log_prob);
      if constexpr (kHasCritic) rows_.fill(all.old_value, chosen, outputs_.value);
    }
    if constexpr (kHasReference) {
      score_batch(learner, *learner.reference);
      rows_.fill(all.reference_log_prob, chosen, outputs_.log_prob);
    }
  }

  template <class Learner, class Model>
  void score_batch(Learner& learner, Model& model) {
    const auto start = std::chrono::steady_clock::now();
    outputs_.resize(batch_.size());
    if (batch_.rows() > 0) learner.memory.score(model, batch_, outputs_);
    sums_.scored_positions += static_cast<double>(batch_.size());
    score_seconds_ += seconds_since(start);
  }

  template <class Learner>
  void update(Learner& learner, std::size_t model, std::size_t minibatch, bool fresh,
              double learning_rate_scale) {
    clear_batch(learner.version_at_step);
    const double tokens = packer_.pack(
        recipe_, rows_, model, members_[minibatch], [&](std::size_t i) { return is_read(i); },
        collective_, batch_);
    if (tokens == 0) return;
    if constexpr (needs_present_log_probs<ObjectiveOf>())
      score_batch(learner, learner.updater.model());
    weigh_by_importance(recipe_.objective, batch_, outputs_.log_prob);
    if constexpr (normalizes_batch<Correction>()) normalize_importance(batch_, tokens, collective_);
    const auto objective = loops::composed_loss(recipe_.objective);
    sums_.gradient_norm +=
        learner.updater.update(batch_, objective, outputs_, collective_, learning_rate_scale);
    sums_.updates += 1;
    sums_.add(batch_, outputs_, objective, fresh);
  }

  void clear_batch(WeightVersion old_weight_version) {
    batch_.clear();
    batch_.temperature = {options_.sampling.answerer.temperature,
                          options_.sampling.summarizer.temperature};
    batch_.old_weight_version = old_weight_version;
  }

  Pairing pairing_;
  Reward reward_;
  Recipe recipe_;
  mutable Collective collective_;  // `save` gathers
  TrainerOptionsFor<Optimizer> options_;
  std::size_t group_size_;
  RolloutScheduler<Pairing, Protocol> scheduler_;
  PairLearners<Pairing, kReference, Collective, Optimizer> learners_;
  std::size_t step_ = 0;
  StepReview review_;

  // Of the current step; kept to reuse their memory.
  StepRollouts rollouts_;
  StepRows rows_;                                  // all that is counted
  std::vector<std::vector<std::size_t>> members_;  // [minibatches] rollouts of this rank
  MinibatchPacker<Recipe> packer_;
  PackedBatch batch_;  // of one minibatch and one model
  TokenOutputs outputs_;
  UpdateSums sums_;
  double score_seconds_ = 0;
};

template <class Pairing>
Trainer(Pairing)
    -> Trainer<Pairing, detail::NotGiven, detail::NotGiven, detail::NotGiven, LocalCollective>;
template <class Pairing, class Protocol>
Trainer(Pairing, Protocol)
    -> Trainer<Pairing, Protocol, detail::NotGiven, detail::NotGiven, LocalCollective>;
template <class Pairing, class Protocol, class Reward>
Trainer(Pairing, Protocol, Reward)
    -> Trainer<Pairing, Protocol, Reward, detail::NotGiven, LocalCollective>;

}  // namespace dualagent
