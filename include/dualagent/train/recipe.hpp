#pragma once

#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "dualagent/core/check.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/objective/objective.hpp"
#include "dualagent/objective/recipes.hpp"
#include "dualagent/rollout/pairing.hpp"
#include "dualagent/summary/view.hpp"

namespace dualagent {

/// What is optimised, and on which tokens: an objective and a training view.
///
/// A recipe may say `static constexpr std::size_t group_size`, the rollouts of one task that it is
/// made for; TrainerOptions then need not.
template <class Objective, class View = AllSegments>
struct Recipe {
  Objective objective = {};
  View view = {};
};
template <class Objective>
Recipe(Objective) -> Recipe<Objective>;
template <class Objective, class View>
Recipe(Objective, View) -> Recipe<Objective, View>;

/// One readable sentence where something else than a recipe is given.
template <class R>
consteval bool check_recipe_parts() {
  static_assert(
      requires(const R& recipe) {
        recipe.objective;
        recipe.view;
      },
      "dualagent: a Recipe needs the members objective and view; write "
      "Recipe{YourObjective{}} or Recipe{YourObjective{}, YourView{}}");
  return true;
}

/// One readable sentence where an objective and a view do not fit together.
template <class R>
consteval bool check_recipe() {
  using Estimator = decltype(R::objective.advantage);
  static_assert(
      statistics_unit<Estimator>() == StatisticsUnit::rollout ||
          one_segment_per_rollout<decltype(R::view)>(),
      "dualagent: an advantage estimator with one entry per segment counts a rollout as often "
      "as this view trains segments of it; compare rollouts (StatisticsUnit::rollout) or train "
      "one segment (FinalSegment)");
  if constexpr (requires { R::group_size; })
    static_assert(
        R::group_size >= (compares_group<Estimator>() ? 2 : 1),
        "dualagent: this recipe's advantage estimator compares the rollouts of a group, but "
        "its group_size is 1; use groups of at least 2, or Whitened<RawReward>");
  return true;
}

/// Whether a rollout whose own advantage is 0 may still have a gradient, or a part in others'.
template <class O>
consteval bool reads_all_rollouts() {
  using Estimator = std::remove_cvref_t<decltype(O::advantage)>;
  return CreditsTokens<Estimator> || whitens<Estimator>() ||
         normalizes_batch<std::remove_cvref_t<decltype(O::correction)>>() ||
         !vanishes_without_advantage<decltype(O::loss)>() ||
         !std::is_same_v<std::remove_cv_t<decltype(O::regularizer)>, NoRegularizer>;
}

/// Rollouts of one task that a recipe is made for; 8 where it does not say.
template <class R>
consteval std::size_t group_size_of() {
  if constexpr (requires { R::group_size; })
    return R::group_size;
  else
    return 8;
}

/// Errors: Error for a value of the recipe's policies that cannot be meant, and for groups too
/// small to be compared.
template <class R>
void validate_recipe(const R& recipe, std::size_t group_size) {
  validate_objective(recipe.objective);
  validate_all(recipe.view);
  if (compares_group<std::remove_cvref_t<decltype(R::objective.advantage)>>() && group_size < 2)
    throw Error("group_size is 1, but the advantage estimator compares the rollouts of a group",
                "TrainerOptions", "Use groups of at least 2, or Whitened<RawReward>");
}

/// Whether a sampler reports the log-probabilities that it sampled with; a remote engine may not.
/// `static constexpr bool reports_log_probs = false` says so.
template <class Engine>
consteval bool reports_log_probs() {
  if constexpr (requires { Engine::reports_log_probs; })
    return Engine::reports_log_probs;
  else
    return true;
}

/// One readable sentence where a recipe asks for more than a trained role has.
template <class R, class Engine, class Model>
consteval bool check_recipe_for() {
  static_assert(check_learner<Model>());
  using ObjectiveOf = decltype(R::objective);
  static_assert(
      !needs_sampler_log_probs<decltype(ObjectiveOf::correction)>() || reports_log_probs<Engine>(),
      "dualagent: this importance correction needs the sampler's log-probabilities, but "
      "the sampler reports none; use NoCorrection or OffPolicyMask");
  static_assert(
      !needs_reference_policy<ObjectiveOf>() ||
          requires(const Model& m) {
            { m.copy() } -> std::same_as<Model>;
          },
      "dualagent: a KL penalty needs a frozen copy of the model; give the learner "
      "'Model copy() const', or use no KlPenalty");
  static_assert(
      !needs_critic<ObjectiveOf>() ||
          requires(const Model& m) {
            { m.has_value_head() } -> std::same_as<bool>;
          },
      "dualagent: this objective needs a critic, but the learner has no 'bool "
      "has_value_head() const'; use an estimator that compares groups");
  return true;
}

namespace detail {
template <class View>
consteval bool selects(AgentRole role) {
  return (static_cast<unsigned>(trained_agents<View>()) &
          static_cast<unsigned>(role == AgentRole::answerer ? TrainedAgents::answerer
                                                            : TrainedAgents::summarizer)) != 0;
}
/// Whether the view selects tokens of a role that model number `index` plays.
template <class View, class Pairing>
consteval bool selects_model(std::size_t index) {
  return (selects<View>(AgentRole::answerer) && Pairing::model_of(AgentRole::answerer) == index) ||
         (selects<View>(AgentRole::summarizer) &&
          Pairing::model_of(AgentRole::summarizer) == index);
}

template <class R, class Pairing, std::size_t I>
consteval bool check_role() {
  using Role = RoleAt<Pairing, I>;
  constexpr bool kSelected = selects_model<decltype(R::view), Pairing>(I);
  static_assert(
      Role::kTrained || !kSelected,
      "dualagent: this view trains the tokens of a role that is Frozen; use one that "
      "selects the other agent's only, such as AnswererOnly where the Summarizer is frozen; "
      "a view of your own says whose it selects with 'static constexpr TrainedAgents "
      "agents'");
  static_assert(
      !Role::kTrained || kSelected,
      "dualagent: this view never trains one of the two models; write Frozen{model} for a "
      "role that only samples, so that it costs no gradients and moments");
  if constexpr (Role::kTrained && kSelected)
    static_assert(check_recipe_for<R, typename Role::SamplerType, typename Role::LearnerType>());
  return true;
}
}  // namespace detail

/// One readable sentence where a recipe and a pairing do not fit together.
template <class R, class Pairing>
consteval bool check_recipe_for_pairing() {
  constexpr bool kTrains = is_trained_role<Pairing>(AgentRole::answerer) ||
                           is_trained_role<Pairing>(AgentRole::summarizer);
  static_assert(kTrains,
                "dualagent: both roles are Frozen, so there is nothing to train; let one of them "
                "learn, or play the pair with RolloutScheduler and evaluate");
  if constexpr (kTrains) [&]<std::size_t... I>(std::index_sequence<I...>) {
      return (detail::check_role<R, Pairing, I>() && ...);
    }
  (std::make_index_sequence<detail::kModels<Pairing>>{});
  return true;
}

/// Every segment and every summary, the group's z-score over rollouts copied to all of them, token
/// mean; unfinished rollouts are masked but stay in the statistics.
/// Source: "SUPO", 2025 (2510.06727).
struct Supo : Recipe<Dapo, FinishedOnly<AllSegments>> {
  static constexpr std::size_t group_size = 8;
};

/// Every segment, advantages not divided by the standard deviation, token mean, KL penalty k3.
/// Source: Yu et al., "MemAgent", 2025 (2507.02259), and its published configuration.
struct MemAgent
    : Recipe<Objective<GroupCentered, ClipLoss, GlobalTokenMean, NoCorrection, KlPenalty<K3>>,
             AllSegments> {
  static constexpr std::size_t group_size = 16;
  constexpr MemAgent() {
    objective.loss = {.clip_low = 0.2, .clip_high = 0.2};
    objective.regularizer.coefficient = 0.001;
  }
};

/// The Answerer's turns in all segments; the Summarizer is not trained.
/// Source: "ReSum", 2025 (2509.13313).
struct ResumGrpo : Recipe<Grpo, AnswererOnly> {
  static constexpr std::size_t group_size = 8;
};

/// PPO with a critic on every segment and every summary, one rollout per task, advantages that
/// reach across segments, token mean. The model needs a value head.
/// Source: "CompactionRL" (public notes of the method).
struct CompactionPpo
    : Recipe<
          Objective<Whitened<CrossSegmentGae>, ClipLoss, GlobalTokenMean, NoCorrection, ValueLoss>,
          AllSegments> {
  static constexpr std::size_t group_size = 1;
  constexpr CompactionPpo() { objective.loss = {.clip_low = 0.2, .clip_high = 0.2}; }
};

/// The reference system's recipe for its Answerer: the continuation of the last summary only, clip
/// 0.2/0.28, no KL, mean over rollouts; its reward is ReferenceSystemReward.
struct ReferenceSystem : Recipe<Objective<GroupNormalized, ClipLoss, RolloutMean>, FinalSegment> {
  static constexpr std::size_t group_size = 8;
  constexpr ReferenceSystem() { objective.loss = {.clip_low = 0.2, .clip_high = 0.28}; }
};

}  // namespace dualagent
