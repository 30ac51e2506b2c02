#pragma once

#include <type_traits>

#include "dualagent/core/check.hpp"
#include "dualagent/objective/advantage.hpp"
#include "dualagent/objective/aggregation.hpp"
#include "dualagent/objective/correction.hpp"
#include "dualagent/objective/regularizer.hpp"
#include "dualagent/objective/token_loss.hpp"

namespace dualagent {

/// What is optimised: how rollouts are compared, the loss of a token, how tokens are weighed, how
/// tokens of another policy are corrected for, and what is added.
///
/// loss = sum over trained tokens of weight(counts) * (correction * loss(terms) +
/// regularizer(terms)).
/// Example: Objective{GroupNormalized{}, MyLoss{}, RolloutMean{}}
template <class Advantage = GroupNormalized, class Loss = ClipLoss,
          class TokenAggregation = GlobalTokenMean, class Correction = NoCorrection,
          class Penalty = NoRegularizer>
struct Objective {
  Advantage advantage = {};
  Loss loss = {};
  TokenAggregation aggregation = {};
  Correction correction = {};
  Penalty regularizer = {};
};
template <class Advantage>
Objective(Advantage) -> Objective<Advantage>;
template <class Advantage, class Loss>
Objective(Advantage, Loss) -> Objective<Advantage, Loss>;
template <class Advantage, class Loss, class TokenAggregation>
Objective(Advantage, Loss, TokenAggregation) -> Objective<Advantage, Loss, TokenAggregation>;
template <class Advantage, class Loss, class TokenAggregation, class Correction>
Objective(Advantage, Loss, TokenAggregation, Correction)
    -> Objective<Advantage, Loss, TokenAggregation, Correction>;
template <class Advantage, class Loss, class TokenAggregation, class Correction, class Penalty>
Objective(Advantage, Loss, TokenAggregation, Correction, Penalty)
    -> Objective<Advantage, Loss, TokenAggregation, Correction, Penalty>;

/// One readable sentence for each part of an objective that O lacks, and for parts that do not fit
/// together.
template <class O>
consteval bool check_objective() {
  static_assert(
      requires(const O& o) {
        o.advantage;
        o.loss;
        o.aggregation;
        o.correction;
        o.regularizer;
      },
      "dualagent: an Objective needs the members advantage, loss, aggregation, correction and "
      "regularizer; see docs/objectives.md");
  static_assert(check_advantage_estimator<decltype(O::advantage)>());
  static_assert(
      TokenLoss<decltype(O::loss)>,
      "dualagent: a TokenLoss needs 'template <class S> S operator()(const TokenTerms<S>&) "
      "const'; see docs/objectives.md#token-losses");
  static_assert(check_aggregation<decltype(O::aggregation)>());
  static_assert(check_importance_correction<decltype(O::correction)>());
  static_assert(
      TokenLoss<decltype(O::regularizer)>,
      "dualagent: a Regularizer needs 'template <class S> S operator()(const TokenTerms<S>&) "
      "const'; see docs/objectives.md#regularizers");
  static_assert(std::is_trivially_copyable_v<decltype(O::loss)> &&
                    std::is_trivially_copyable_v<decltype(O::regularizer)>,
                "dualagent: a TokenLoss and a Regularizer are plain values (trivially copyable), "
                "because they are copied to wherever the learner computes; keep numbers in them, "
                "not vectors or strings; see docs/objectives.md#token-losses");
  static_assert(
      uses_values<decltype(O::advantage)>() == trains_critic<decltype(O::regularizer)>(),
      "dualagent: a critic needs both, an estimator that uses its values (Gae, SegmentGae, "
      "CrossSegmentGae) and the regularizer that trains it (ValueLoss)");
  static_assert(
      !nonzero_advantage_only<decltype(O::aggregation)>() ||
          !(CreditsTokens<decltype(O::advantage)> || whitens<decltype(O::advantage)>()),
      "dualagent: NonzeroAdvantageOnly needs an estimator with one advantage per rollout; "
      "Whitened, KlInReward and the GAE estimators give each token its own, so use the "
      "aggregation without it");
  if constexpr (requires { decltype(O::aggregation)::unit; })
    static_assert(!uses_sequence_ratio<decltype(O::loss)>() ||
                      decltype(O::aggregation)::unit != AggregationUnit::token,
                  "dualagent: a loss of the segment's ratio (GspoLoss) must not be averaged over "
                  "tokens, or long segments count twice; use SegmentMean or RolloutMean");
  return true;
}

/// Errors: Error for a value of an objective's parts that cannot be meant.
template <class O>
void validate_objective(const O& objective) {
  validate_all(objective.advantage, objective.loss, objective.aggregation, objective.correction,
               objective.regularizer);
}

/// Whether an objective has a critic.
template <class O>
consteval bool needs_critic() {
  return uses_values<decltype(O::advantage)>() || trains_critic<decltype(O::regularizer)>();
}

/// Whether an objective needs the log-probabilities of a frozen copy of the model.
template <class O>
consteval bool needs_reference_policy() {
  return uses_reference<decltype(O::advantage)>() || needs_reference<decltype(O::regularizer)>();
}

/// Whether an objective needs the present log-probabilities of a whole segment before it can
/// differentiate the loss of one of its tokens: one more forward pass.
template <class O>
consteval bool needs_present_log_probs() {
  return uses_sequence_ratio<decltype(O::loss)>() ||
         needs_policy_log_ratio<decltype(O::correction)>();
}

}  // namespace dualagent
