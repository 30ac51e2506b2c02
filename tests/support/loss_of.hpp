#pragma once

#include <cstddef>

#include "dualagent/model/token_gradient.hpp"
#include "dualagent/objective/recipes.hpp"

/// Value and derivatives of token t on a batch whose importance weights are known.
template <class ObjectiveOf>
dualagent::TokenLossGradient loss_of(const ObjectiveOf& objective,
                                     const dualagent::PackedBatch& batch, std::size_t t,
                                     const dualagent::TokenPrediction& now) {
  return dualagent::token_gradient(batch, dualagent::loops::composed_loss(objective), t, now, {});
}

/// The clip loss with an importance correction.
template <class Correction>
auto corrected(const Correction& correction) {
  using namespace dualagent;
  return Objective{GroupNormalized{}, ClipLoss{}, GlobalTokenMean{}, correction};
}
/// The same with a KL term instead.
template <class Penalty>
auto with(const Penalty& penalty) {
  using namespace dualagent;
  return Objective{GroupNormalized{}, ClipLoss{}, GlobalTokenMean{}, NoCorrection{}, penalty};
}
