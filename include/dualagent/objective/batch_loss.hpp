#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "dualagent/core/check.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/kernels/mask.inl"
#include "dualagent/objective/objective.hpp"
#include "dualagent/trace/packed_batch.hpp"

namespace dualagent {

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

/// An objective's loss on a packed batch: what it needs of whole rows, then token by token.
///
/// A row is a segment. `prepare` comes first; `token(t, ...)` is then pure and may be called from
/// several threads. Memory: two numbers per token, reused.
template <class Objective>
class BatchLoss {
  static_assert(check_objective<Objective>());

 public:
  /// Errors: Error for a value of the objective that cannot be meant.
  explicit BatchLoss(Objective objective = {}) : objective_(std::move(objective)) {
    validate_all(objective_.advantage, objective_.loss, objective_.aggregation,
                 objective_.correction, objective_.regularizer);
  }

  const Objective& objective() const { return objective_; }

  /// Computes importance weights and sequence ratios of all rows. `log_prob` [T] are the present
  /// log-probabilities; it may be empty unless `needs_present_log_probs`.
  /// Errors: Error that names rollout and token when a log-probability that is used is NaN or
  /// infinite.
  void prepare(const PackedBatch& batch, std::span<const double> log_prob = {}) {
    correction_.assign(batch.size(), 1.0);
    sequence_log_ratio_.assign(batch.size(), 0.0);
    for (std::size_t row = 0; row < batch.rows(); ++row) prepare_row(batch, row, log_prob);
  }

  /// Sum of the importance weights of all trained tokens, after `prepare`.
  double sum_of_corrections(const PackedBatch& batch) const {
    double sum = 0;
    for (std::size_t t = 0; t < batch.size(); ++t)
      if (kernels::is_trained(batch.loss_weight[t])) sum += correction_[t];
    return sum;
  }
  /// Multiplies all importance weights, for corrections that are normalised over the minibatch.
  void scale_corrections(double factor) {
    for (double& weight : correction_) weight *= factor;
  }

  /// Loss and derivatives of one trained token, before its loss weight.
  /// Errors: Error that names rollout and token when one of its terms, the loss or a derivative is
  /// NaN or infinite, also where a bounded ratio would hide it.
  kernels::TokenGradient<double> token(const PackedBatch& batch, std::size_t t,
                                       const TokenPrediction& now) const {
    const TokenTerms<double> terms = terms_of(batch, t, now);
    const double weight = correction_[t];
    if (!std::isfinite(sum_of(terms) + weight)) throw_bad_term(batch, t, terms, weight);
    const auto loss = [&]<class S>(const TokenTerms<S>& at) DUALAGENT_FLATTEN {
      return S(weight) * objective_.loss(at) + objective_.regularizer(at);
    };
    const kernels::TokenGradient<double> gradient = differentiate(loss, terms);
    if (!std::isfinite(gradient.value + gradient.d_log_prob + gradient.d_entropy +
                       gradient.d_value))
      throw_not_finite(batch, t, terms, gradient);
    return gradient;
  }

  /// Whether the loss clips this token.
  bool clips(const PackedBatch& batch, std::size_t t, const TokenPrediction& now) const {
    return dualagent::clips(objective_.loss, terms_of(batch, t, now));
  }

 private:
  TokenTerms<double> terms_of(const PackedBatch& batch, std::size_t t,
                              const TokenPrediction& now) const {
    return {.log_prob = now.log_prob,
            .entropy = now.entropy,
            .value = now.value,
            .old_log_prob = batch.old_log_prob[t],
            .reference_log_prob = batch.reference_log_prob[t],
            .advantage = batch.advantage[t],
            .sequence_log_ratio = sequence_log_ratio_[t],
            .old_value = batch.old_value[t],
            .value_target = batch.value_target[t]};
  }

  void prepare_row(const PackedBatch& batch, std::size_t row, std::span<const double> log_prob) {
    using Correction = decltype(Objective::correction);
    constexpr bool kPresent = needs_present_log_probs<Objective>();
    if constexpr (!kPresent && std::is_same_v<std::remove_cv_t<Correction>, NoCorrection>) return;
    CorrectionTerms sums{.smallest_log_ratio = kernels::kLogRatioBound, .segment_tokens = 0};
    for_each_trained(batch, row, [&](std::size_t t) {
      if constexpr (needs_sampler_log_probs<Correction>()) {
        require_finite(batch, t, "log-probability at the step's beginning", batch.old_log_prob[t]);
        require_finite(batch, t, "sampler's log-probability", batch.sampler_log_prob[t]);
      }
      const double ratio = log_ratio(batch, t);
      sums.segment_log_ratio += ratio;
      sums.smallest_log_ratio = std::min(sums.smallest_log_ratio, ratio);
      sums.segment_tokens += 1;
      if constexpr (kPresent) {
        require_finite(batch, t, "log-probability", log_prob[t]);
        require_finite(batch, t, "old log-probability", batch.old_log_prob[t]);
        sums.policy_log_ratio += log_prob[t] - static_cast<double>(batch.old_log_prob[t]);
      }
    });
    if (sums.segment_tokens == 0) return;
    sums.segment_log_ratio /= sums.segment_tokens;
    sums.policy_log_ratio /= sums.segment_tokens;
    for_each_trained(batch, row, [&](std::size_t t) {
      CorrectionTerms terms = sums;
      terms.log_ratio = log_ratio(batch, t);
      terms.advantage = batch.advantage[t];
      terms.staleness = static_cast<double>(batch.staleness_of(t));
      correction_[t] = objective_.correction.weight(terms);
      sequence_log_ratio_[t] = sums.policy_log_ratio;
    });
  }

  template <class Visit>
  static void for_each_trained(const PackedBatch& batch, std::size_t row, Visit&& visit) {
    for (std::size_t t = batch.row_begin[row]; t < batch.row_begin[row + 1]; ++t)
      if (kernels::is_trained(batch.loss_weight[t])) visit(t);
  }

  static double log_ratio(const PackedBatch& batch, std::size_t t) {  // log pi_old / pi_sampler
    const double ratio =
        static_cast<double>(batch.old_log_prob[t]) - static_cast<double>(batch.sampler_log_prob[t]);
    return std::clamp(ratio, -kernels::kLogRatioBound, kernels::kLogRatioBound);
  }

  static double sum_of(const TokenTerms<double>& t) {
    return t.log_prob + t.entropy + t.value + t.old_log_prob + t.reference_log_prob + t.advantage +
           t.sequence_log_ratio + t.old_value + t.value_target;
  }
  [[noreturn]] static void throw_bad_term(const PackedBatch& batch, std::size_t t,
                                          const TokenTerms<double>& terms, double weight) {
    require_finite(batch, t, "log-probability", terms.log_prob);
    require_finite(batch, t, "entropy", terms.entropy);
    require_finite(batch, t, "value", terms.value);
    require_finite(batch, t, "old log-probability", terms.old_log_prob);
    require_finite(batch, t, "reference log-probability", terms.reference_log_prob);
    require_finite(batch, t, "advantage", terms.advantage);
    require_finite(batch, t, "sequence log-ratio", terms.sequence_log_ratio);
    require_finite(batch, t, "old value", terms.old_value);
    require_finite(batch, t, "value target", terms.value_target);
    require_finite(batch, t, "importance weight", weight);
    refuse(batch, t, "the terms of a token are too great to add up");
  }
  static void require_finite(const PackedBatch& batch, std::size_t t, const char* what, double x) {
    if (!std::isfinite(x))
      refuse(batch, t, std::string("the ") + what + " of a token is " + std::to_string(x));
  }
  [[noreturn]] static void throw_not_finite(const PackedBatch& batch, std::size_t t,
                                            const TokenTerms<double>& terms,
                                            const kernels::TokenGradient<double>& gradient) {
    refuse(batch, t,
           "the loss of a token is " + std::to_string(gradient.value) + ", its derivatives " +
               std::to_string(gradient.d_log_prob) + " and " + std::to_string(gradient.d_entropy) +
               " (log-probability " + std::to_string(terms.log_prob) + ", old " +
               std::to_string(terms.old_log_prob) + ", advantage " +
               std::to_string(terms.advantage) + ")");
  }
  [[noreturn]] static void refuse(const PackedBatch& batch, std::size_t t,
                                  const std::string& what) {
    const std::size_t row = batch.row_of(t);
    throw Error(what,
                "rollout " + std::to_string(batch.rollout[row]) + ", token " +
                    std::to_string(t - batch.row_begin[row]) + " of row " + std::to_string(row),
                "Check the objective, the rewards and the model");
  }

  Objective objective_;
  std::vector<double> correction_;          // [T]
  std::vector<double> sequence_log_ratio_;  // [T]
};

}  // namespace dualagent
