#pragma once

#include <concepts>
#include <type_traits>

#include "dualagent/objective/recipes.hpp"
#include "dualagent/summary/view.hpp"

namespace dualagent {

/// What is optimised, and on which tokens: an objective and a training view.
template <class Objective, class View = AllSegments>
struct Recipe {
  Objective objective = {};
  View view = {};
};
template <class Objective>
Recipe(Objective) -> Recipe<Objective>;
template <class Objective, class View>
Recipe(Objective, View) -> Recipe<Objective, View>;

/// One readable sentence where an objective and a view do not fit together.
template <class R>
consteval bool check_recipe() {
  using Estimator = decltype(R::objective.advantage);
  if constexpr (requires { Estimator::statistics; })
    static_assert(
        Estimator::statistics == StatisticsUnit::rollout ||
            one_segment_per_rollout<decltype(R::view)>(),
        "dualagent: an advantage estimator with one entry per segment counts a rollout as often "
        "as this view trains segments of it; compare rollouts (StatisticsUnit::rollout) or train "
        "one segment (FinalSegment)");
  return true;
}

/// Whether a backend reports the log-probabilities that it sampled with; a remote engine may not.
/// `static constexpr bool reports_log_probs = false` says so.
template <class Model>
consteval bool reports_log_probs() {
  if constexpr (requires { Model::reports_log_probs; })
    return Model::reports_log_probs;
  else
    return true;
}

/// One readable sentence where a recipe asks for more than a model of the pair has.
template <class R, class Model>
consteval bool check_recipe_for() {
  using ObjectiveOf = decltype(R::objective);
  static_assert(
      !needs_sampler_log_probs<decltype(ObjectiveOf::correction)>() || reports_log_probs<Model>(),
      "dualagent: this importance correction needs the sampler's log-probabilities, but "
      "the model backend reports none; use NoCorrection or OffPolicyMask");
  static_assert(
      !needs_reference<decltype(ObjectiveOf::regularizer)>() ||
          requires(const Model& m) {
            { m.copy() } -> std::same_as<Model>;
          },
      "dualagent: a KL penalty needs a frozen copy of the model; give the backend "
      "'Model copy() const', or use no KlPenalty");
  return true;
}

/// Every segment and every summary, the group's z-score over rollouts copied to all of them, token
/// mean; unfinished rollouts are masked but stay in the statistics.
/// Source: "SUPO", 2025 (2510.06727).
using Supo = Recipe<Dapo, FinishedOnly<AllSegments>>;

/// Every segment, advantages not divided by the standard deviation, token mean, KL penalty k3.
/// Source: Yu et al., "MemAgent", 2025 (2507.02259), and its published configuration.
struct MemAgent
    : Recipe<Objective<GroupCentered, ClipLoss, GlobalTokenMean, NoCorrection, KlPenalty<K3>>,
             AllSegments> {
  constexpr MemAgent() {
    objective.loss = {.clip_low = 0.2, .clip_high = 0.2};
    objective.regularizer.coefficient = 0.001;
  }
};

/// The Answerer's turns in all segments; the Summarizer is not trained.
/// Source: "ReSum", 2025 (2509.13313).
using ResumGrpo = Recipe<Grpo, AnswererOnly>;

/// The reference system's recipe for its Answerer: the continuation of the last summary only, clip
/// 0.2/0.28, no KL, mean over rollouts; its groups have 8 rollouts and its reward is
/// ReferenceSystemReward.
struct ReferenceSystem : Recipe<Objective<GroupNormalized, ClipLoss, RolloutMean>, FinalSegment> {
  constexpr ReferenceSystem() { objective.loss = {.clip_low = 0.2, .clip_high = 0.28}; }
};

}  // namespace dualagent
