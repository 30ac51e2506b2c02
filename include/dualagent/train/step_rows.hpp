#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/kernels/mask.inl"
#include "dualagent/loops/loss_weight.inl"
#include "dualagent/objective/advantage.hpp"
#include "dualagent/train/training_rows.hpp"

namespace dualagent {

/// Which segment a row is, and how much of it is trained.
struct StepRow {
  std::size_t rollout = 0;         ///< index among the rank's rollouts
  std::size_t segment = 0;         ///< index in the rollout
  std::size_t model = 0;           ///< index in the pair: who reads and trains it
  std::array<double, 2> tokens{};  ///< trained, of Answerer and of Summarizer
};

/// All rows that one rank trains in one step, of all models of the pair, in order of rollout and
/// segment. Each column is filled once; minibatches are copies of some rows.
///
/// `batch.loss_weight` is 1 for trained tokens, 0 for others.
class StepRows {
 public:
  PackedBatch batch;
  std::vector<StepRow> rows;  // [R]

  void clear() {
    batch.clear();
    rows.clear();
    rollout_begin_.assign(1, 0);
  }

  /// Which tokens belong together: rows are segments, and rollouts are numbered as by `append`.
  loops::SegmentTable table() const {
    return {batch.size(), rows.size(), rollout_begin_.size() - 1, batch.row_begin.data(),
            rollout_begin_.data()};
  }

  /// Appends the rows of rollout number `index`; rollouts come in order, some may be left out.
  /// `trains(segment, span)` selects, `advantage(segment, span)` is written to the span's tokens,
  /// `model_of(role)` is the model of a segment's owner.
  template <class Trains, class AdvantageOf, class ModelOf>
  void append(const Rollout& rollout, std::size_t index, Trains&& trains, AdvantageOf&& advantage,
              ModelOf&& model_of) {
    rollout_begin_.resize(index + 2, rows.size());
    for (std::size_t s = 0; s < rollout.segments.size(); ++s) {
      const Segment& segment = rollout.segments[s];
      const auto selects = [&](const Span& span) { return trains(s, span); };
      StepRow row{index, s, model_of(segment.owner), {}};
      for (const Span& span : segment.context.spans())
        if (selects(span))
          row.tokens[static_cast<std::size_t>(span.agent)] += static_cast<double>(span.size);
      if (row.tokens[0] + row.tokens[1] == 0) continue;
      append_training_row(batch, segment, selects, {.rollout = static_cast<std::uint32_t>(index)});
      const auto begin = static_cast<std::ptrdiff_t>(batch.row_begin[rows.size()]);
      for (const Span& span : segment.context.spans())
        if (selects(span))
          std::fill_n(batch.advantage.begin() + begin + static_cast<std::ptrdiff_t>(span.begin),
                      span.size, static_cast<float>(advantage(s, span)));
      rows.push_back(row);
    }
    rollout_begin_.back() = rows.size();
  }

  /// Index of the first row whose rollout is not before this one.
  std::size_t first_row(std::size_t rollout) const {
    return rollout_begin_[std::min(rollout, rollout_begin_.size() - 1)];
  }

  /// Appends to `to` a copy of the rows of one model of the pair whose rollout `is_read(rollout)`.
  /// Returns their indices.
  template <class IsRead>
  std::vector<std::size_t> copy_rows(std::size_t model, const IsRead& is_read,
                                     PackedBatch& to) const {
    std::vector<std::size_t> copied;
    for (std::size_t row = 0; row < rows.size(); ++row) {
      if (rows[row].model != model || !is_read(rows[row].rollout)) continue;
      to.append_row_of(batch, row);
      copied.push_back(row);
    }
    return copied;
  }

  /// Writes what was found for a batch of these rows, one after another, to a column of `batch`.
  void fill(std::vector<float>& column, std::span<const std::size_t> copied,
            std::span<const double> found) const;

  /// Gives each token its own advantage and value target; see AdvantageEstimator.
  /// Errors: Error that names rollout and token when what the estimator reads of a token is NaN or
  /// infinite, before it spreads to other tokens.
  template <CreditsTokens Estimator>
  void credit_tokens(const Estimator& estimator) {
    for (std::size_t row = 0; row < rows.size();) {
      const std::size_t end = first_row(rows[row].rollout + 1);
      credit_rollout(estimator, row, end);
      row = end;
    }
  }

  /// Brings the advantages of all trained tokens, over all ranks, to mean 0 and unbiased variance
  /// 1, with 1e-8 added to the variance.
  /// Errors: Error that names rollout and token when an advantage is NaN or infinite.
  template <class Collective>
  void whiten(Collective& collective) {
    double sums[] = {0.0, 0.0};  // tokens, advantage
    for_each_trained([&](std::size_t t) {
      require_finite(t, "advantage", static_cast<double>(batch.advantage[t]));
      sums[0] += 1;
      sums[1] += static_cast<double>(batch.advantage[t]);
    });
    collective.all_reduce_sum(std::span<double>(sums));
    const double mean = sums[1] / std::max(1.0, sums[0]);
    double squares[] = {0.0};
    for_each_trained([&](std::size_t t) {
      const double distance = static_cast<double>(batch.advantage[t]) - mean;
      squares[0] += distance * distance;
    });
    collective.all_reduce_sum(std::span<double>(squares));
    const double variance = squares[0] / std::max(1.0, sums[0] - 1.0);
    for_each_trained([&](std::size_t t) {
      batch.advantage[t] = static_cast<float>((static_cast<double>(batch.advantage[t]) - mean) /
                                              std::sqrt(variance + 1e-8));
    });
  }

 private:
  template <class Visit>
  void for_each_trained(Visit&& visit) const {
    for (std::size_t t = 0; t < batch.size(); ++t)
      if (kernels::is_trained(batch.loss_weight[t])) visit(t);
  }

  void require_finite(std::size_t t, const char* what, double x) const;

  /// The rows [begin, end) are one rollout.
  template <class Estimator>
  void credit_rollout(const Estimator& estimator, std::size_t begin, std::size_t end) {
    tokens_.clear();
    segment_begin_.assign(1, 0);
    for (std::size_t row = begin; row < end; ++row) {
      for (std::size_t t = batch.row_begin[row]; t < batch.row_begin[row + 1]; ++t)
        if (kernels::is_trained(batch.loss_weight[t])) tokens_.push_back(t);
      segment_begin_.push_back(tokens_.size());
    }
    rollout_advantage_.clear();
    value_.clear();
    log_ratio_.clear();
    for (const std::size_t t : tokens_) {
      rollout_advantage_.push_back(static_cast<double>(batch.advantage[t]));
      value_.push_back(static_cast<double>(batch.old_value[t]));
      log_ratio_.push_back(static_cast<double>(batch.old_log_prob[t]) -
                           static_cast<double>(batch.reference_log_prob[t]));
      require_finite(t, "advantage", rollout_advantage_.back());
      require_finite(t, "critic's value", value_.back());
      require_finite(t, "log-ratio to the reference policy", log_ratio_.back());
    }
    advantage_.assign(tokens_.size(), 0.0);
    target_.assign(tokens_.size(), 0.0);
    estimator.credit_tokens({rollout_advantage_, value_, log_ratio_, segment_begin_},
                            {advantage_, target_});
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      batch.advantage[tokens_[i]] = static_cast<float>(advantage_[i]);
      batch.value_target[tokens_[i]] = static_cast<float>(target_[i]);
    }
  }

  std::vector<std::size_t> rollout_begin_{0};  // [rollouts + 1] first row of each

  // Of one rollout; kept to reuse their memory.
  std::vector<std::size_t> tokens_;         // [T] trained, as indices into the batch
  std::vector<std::size_t> segment_begin_;  // [S + 1]
  std::vector<double> rollout_advantage_, value_, log_ratio_, advantage_, target_;  // [T]
};

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/train/step_rows.inl"
#endif
