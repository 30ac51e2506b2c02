#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/kernels/mask.inl"
#include "dualagent/objective/objective.hpp"
#include "dualagent/trace/packed_batch.hpp"

/// What an objective needs to know of whole rows, as columns of the batch: importance weights and
/// sequence ratios. A row is a segment.
namespace dualagent {

namespace detail {

template <class Visit>
void for_each_trained(const PackedBatch& batch, std::size_t row, Visit&& visit) {
  for (std::size_t t = batch.row_begin[row]; t < batch.row_begin[row + 1]; ++t)
    if (kernels::is_trained(batch.loss_weight[t])) visit(t);
}

double sampler_log_ratio(const PackedBatch& batch, std::size_t t);

void require_finite(const PackedBatch& batch, std::size_t t, const char* what, double x);

/// Sums over the trained tokens of a row, then their means.
template <class Objective>
CorrectionTerms correction_terms(const PackedBatch& batch, std::size_t row,
                                 std::span<const double> log_prob) {
  CorrectionTerms sums{.smallest_log_ratio = kernels::kLogRatioBound, .segment_tokens = 0};
  for_each_trained(batch, row, [&](std::size_t t) {
    if constexpr (needs_sampler_log_probs<decltype(Objective::correction)>()) {
      require_finite(batch, t, "log-probability at the step's beginning", batch.old_log_prob[t]);
      require_finite(batch, t, "sampler's log-probability", batch.sampler_log_prob[t]);
    }
    const double ratio = sampler_log_ratio(batch, t);
    sums.segment_log_ratio += ratio;
    sums.smallest_log_ratio = std::min(sums.smallest_log_ratio, ratio);
    sums.segment_tokens += 1;
    if constexpr (needs_present_log_probs<Objective>()) {
      require_finite(batch, t, "log-probability", log_prob[t]);
      require_finite(batch, t, "old log-probability", batch.old_log_prob[t]);
      sums.policy_log_ratio += log_prob[t] - static_cast<double>(batch.old_log_prob[t]);
    }
  });
  if (sums.segment_tokens == 0) return sums;
  sums.segment_log_ratio /= sums.segment_tokens;
  sums.policy_log_ratio /= sums.segment_tokens;
  return sums;
}

}  // namespace detail

/// Fills the columns `importance_weight` and `sequence_log_ratio` of a batch's trained tokens, as
/// the objective's correction and loss want them. `log_prob` [T] are the present
/// log-probabilities; it may be empty unless `needs_present_log_probs`.
/// Errors: Error that names rollout and token when a log-probability that is used is NaN or
/// infinite.
template <class Objective>
void weigh_by_importance(const Objective& objective, PackedBatch& batch,
                         std::span<const double> log_prob = {}) {
  using Correction = std::remove_cv_t<decltype(Objective::correction)>;
  if constexpr (!needs_present_log_probs<Objective>() && std::is_same_v<Correction, NoCorrection>)
    return;
  for (std::size_t row = 0; row < batch.rows(); ++row) {
    const CorrectionTerms of_row = detail::correction_terms<Objective>(batch, row, log_prob);
    detail::for_each_trained(batch, row, [&](std::size_t t) {
      CorrectionTerms terms = of_row;
      terms.log_ratio = detail::sampler_log_ratio(batch, t);
      terms.advantage = static_cast<double>(batch.advantage[t]);
      terms.staleness = static_cast<double>(batch.staleness_of(t));
      batch.importance_weight[t] = objective.correction.weight(terms);
      batch.sequence_log_ratio[t] = of_row.policy_log_ratio;
    });
  }
}

/// Sum of the importance weights of all trained tokens.
double sum_of_importance(const PackedBatch& batch);

/// Multiplies all importance weights, for corrections that are normalised over the minibatch.
void scale_importance(PackedBatch& batch, double factor);

/// Divides all importance weights by their mean over the `tokens` trained tokens of the minibatch,
/// both of all ranks; weights that are all 0 stay 0.
template <class Collective>
void normalize_importance(PackedBatch& batch, double tokens, Collective& collective) {
  double sum[] = {sum_of_importance(batch)};
  collective.all_reduce_sum(std::span<double>(sum));
  if (sum[0] > 0) scale_importance(batch, tokens / sum[0]);
}

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/objective/importance.inl"
#endif
