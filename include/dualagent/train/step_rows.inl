#pragma once

/// Definitions of step_rows.hpp; see core/compiled.hpp.

#include "dualagent/train/step_rows.hpp"

namespace dualagent {

DUALAGENT_INLINE void StepRows::fill(std::vector<float>& column,
                                     std::span<const std::size_t> copied,
                                     std::span<const double> found) const {
  auto from = found.begin();
  for (const std::size_t row : copied)
    for (std::size_t t = batch.row_begin[row]; t < batch.row_begin[row + 1]; ++t)
      column[t] = static_cast<float>(*from++);
}

DUALAGENT_INLINE void StepRows::require_finite(std::size_t t, const char* what, double x) const {
  if (std::isfinite(x)) return;
  const std::size_t row = batch.row_of(t);
  throw Error(std::string("the ") + what + " of a token is " + std::to_string(x),
              "rollout " + std::to_string(batch.rollout[row]) + ", token " +
                  std::to_string(t - batch.row_begin[row]) + " of row " + std::to_string(row),
              "Check the rewards, the estimator and the model");
}

}  // namespace dualagent
