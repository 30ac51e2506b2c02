#pragma once

#include <cmath>
#include <cstddef>
#include <string>

#include "dualagent/core/error.hpp"
#include "dualagent/trace/batch_columns.hpp"

namespace dualagent {

namespace detail {

/// Names the first term that is NaN or infinite, or the loss.
template <class T>
[[noreturn]] void throw_bad_token(const BatchColumns& columns, std::size_t t,
                                  const kernels::TokenPrediction<T>& now,
                                  const kernels::TokenGradient<T>& gradient) {
  const char* const remedy = "Check the objective, the rewards and the model";
  const auto require_finite = [&](const char* what, T x) {
    if (!std::isfinite(x))
      throw Error(std::string("the ") + what + " of a token is " + std::to_string(x),
                  columns.place_of(t), remedy);
  };
  const kernels::TokenTerms<T> terms = columns.loss.terms(t, now);
  require_finite("log-probability", terms.log_prob);
  require_finite("entropy", terms.entropy);
  require_finite("value", terms.value);
  require_finite("old log-probability", terms.old_log_prob);
  require_finite("reference log-probability", terms.reference_log_prob);
  require_finite("advantage", terms.advantage);
  require_finite("sequence log-ratio", terms.sequence_log_ratio);
  require_finite("old value", terms.old_value);
  require_finite("value target", terms.value_target);
  require_finite("importance weight", columns.loss.importance_weight_of<T>(t));
  throw Error("the loss of a token is " + std::to_string(gradient.value) + ", its derivatives " +
                  std::to_string(gradient.d_log_prob) + ", " + std::to_string(gradient.d_entropy) +
                  " and " + std::to_string(gradient.d_value) + " (log-probability " +
                  std::to_string(terms.log_prob) + ", old " + std::to_string(terms.old_log_prob) +
                  ", advantage " + std::to_string(terms.advantage) + ")",
              columns.place_of(t), remedy);
}

}  // namespace detail

/// Value and derivatives of the objective at trained token t of columns on the host, before its
/// loss weight, all of which it also writes down: what `backward` of a learner on the CPU calls
/// once for every trained token.
/// Errors: Error that names rollout and token where a term, the loss or a derivative is NaN or
/// infinite.
template <class Objective, class T>
kernels::TokenGradient<T> token_gradient(const BatchColumns& columns, const Objective& objective,
                                         std::size_t t, const kernels::TokenPrediction<T>& now,
                                         const OutputColumns& outputs) {
  outputs.write(t, now);
  const kernels::TokenGradient<T> gradient = objective(columns.loss, t, now);
  if (!std::isfinite(gradient.value + gradient.d_log_prob + gradient.d_entropy + gradient.d_value))
    detail::throw_bad_token(columns, t, now, gradient);
  outputs.write(t, gradient);
  return gradient;
}

}  // namespace dualagent
