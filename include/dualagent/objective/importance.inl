#pragma once

/// Definitions of importance.hpp; see core/compiled.hpp.

#include "dualagent/objective/importance.hpp"

namespace dualagent::detail {

DUALAGENT_INLINE double sampler_log_ratio(const PackedBatch& batch, std::size_t t) {
  const double ratio =
      static_cast<double>(batch.old_log_prob[t]) - static_cast<double>(batch.sampler_log_prob[t]);
  return std::clamp(ratio, -kernels::kLogRatioBound, kernels::kLogRatioBound);
}

DUALAGENT_INLINE void require_finite(const PackedBatch& batch, std::size_t t, const char* what,
                                     double x) {
  if (!std::isfinite(x))
    throw Error(std::string("the ") + what + " of a token is " + std::to_string(x),
                BatchColumns(batch).place_of(t), "Check the objective, the rewards and the model");
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE double sum_of_importance(const PackedBatch& batch) {
  double sum = 0;
  for (std::size_t t = 0; t < batch.size(); ++t)
    if (kernels::is_trained(batch.loss_weight[t])) sum += batch.importance_weight[t];
  return sum;
}

DUALAGENT_INLINE void scale_importance(PackedBatch& batch, double factor) {
  for (double& weight : batch.importance_weight) weight *= factor;
}

}  // namespace dualagent
