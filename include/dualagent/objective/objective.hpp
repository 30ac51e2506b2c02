#pragma once

#include "dualagent/objective/advantage.hpp"
#include "dualagent/objective/aggregation.hpp"
#include "dualagent/objective/token_loss.hpp"

namespace dualagent {

/// What is optimised: how rollouts are compared, the loss of a token, and how tokens are weighed.
///
/// Example: Objective{GroupNormalized{}, MyLoss{}, RolloutMean{}}
template <class Advantage = GroupNormalized, class Loss = ClipLoss,
          class TokenAggregation = GlobalTokenMean>
struct Objective {
  Advantage advantage = {};
  Loss loss = {};
  TokenAggregation aggregation = {};
};
template <class Advantage, class Loss, class TokenAggregation>
Objective(Advantage, Loss, TokenAggregation) -> Objective<Advantage, Loss, TokenAggregation>;

/// Group-relative policy optimisation with the clip loss and the global token mean.
/// Source: Shao et al., "DeepSeekMath", 2024, eq. 3, without its KL term; token mean and asymmetric
/// clip as in DAPO (2503.14476).
using Grpo = Objective<GroupNormalized, ClipLoss, GlobalTokenMean>;

/// One readable sentence for each part of an objective that O lacks.
template <class O>
consteval bool check_objective() {
  static_assert(
      requires(const O& o) {
        o.advantage;
        o.loss;
        o.aggregation;
      },
      "dualagent: an Objective needs the members advantage, loss and aggregation; see "
      "docs/objectives.md");
  static_assert(AdvantageEstimator<decltype(O::advantage)>,
                "dualagent: an AdvantageEstimator needs 'void estimate(std::span<const double> "
                "rewards, std::span<const std::size_t> group_begin, std::span<double> advantages) "
                "const'; see docs/objectives.md#advantages");
  static_assert(
      TokenLoss<decltype(O::loss)>,
      "dualagent: a TokenLoss needs 'template <class S> S operator()(const TokenTerms<S>&) "
      "const'; see docs/objectives.md#token-losses");
  static_assert(Aggregation<decltype(O::aggregation)>,
                "dualagent: an Aggregation needs 'double weight(const TokenCounts&) const'; see "
                "docs/objectives.md#aggregations");
  return true;
}

}  // namespace dualagent
