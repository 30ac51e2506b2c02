#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/types.hpp"
#include "dualagent/trace/batch_columns.hpp"

namespace dualagent {

/// Ragged rows of tokens one after another, without padding: what a model is trained on.
///
/// T tokens in R rows; row r is [row_begin[r], row_begin[r + 1]). Token t is predicted from the
/// tokens before it in its own row, so the first token of a row cannot be trained.
/// Masking: `loss_weight[t] == 0` means that t is given or not in the training view; its
/// log-probability is neither computed nor differentiated.
/// A batch lies on the host; BatchColumns views it, or a copy of it on a learner's machine.
struct PackedBatch {
  std::vector<Token> tokens;               // [T]
  std::vector<std::size_t> row_begin{0};   // [R + 1]
  std::vector<float> loss_weight;          // [T] factor of the token's loss; 0 = masked
  std::vector<float> sampler_log_prob;     // [T] that the sampled span carries, nats
  std::vector<float> old_log_prob;         // [T] of the policy at the beginning of the step, nats
  std::vector<float> reference_log_prob;   // [T] of the frozen reference policy, nats
  std::vector<float> advantage;            // [T]
  std::vector<float> old_value;            // [T] of the critic at the beginning of the step
  std::vector<float> value_target;         // [T] what the critic should have said
  std::vector<double> importance_weight;   // [T] factor of the policy loss; 1 without a correction
  std::vector<double> sequence_log_ratio;  // [T] mean of log pi - log pi_old over the segment
  std::vector<AgentRole> agent;            // [T] who made the token
  std::vector<WeightVersion> weight_version;  // [T] of the weights that the token was drawn from
  std::vector<std::uint32_t> rollout;         // [R] index of the row's rollout, for error messages
  PerAgent temperature = 1.0F;                // of the trained distributions; > 0
  WeightVersion old_weight_version = 0;       // of the policy at the beginning of the step

  /// Views of the columns; valid until the batch changes.
  operator BatchColumns() const;

  std::size_t size() const { return tokens.size(); }
  /// Of the distribution that token t was drawn from.
  float temperature_of(std::size_t t) const { return temperature.of(agent[t]); }
  /// How old the weights were that token t was drawn from: weight versions before those of the
  /// step's beginning; 0 for a fresh token, and for one of later weights.
  WeightVersion staleness_of(std::size_t t) const {
    return old_weight_version - std::min(old_weight_version, weight_version[t]);
  }
  std::size_t rows() const { return row_begin.size() - 1; }
  std::size_t row_size(std::size_t row) const { return row_begin[row + 1] - row_begin[row]; }
  /// The row that token t lies in.
  std::size_t row_of(std::size_t t) const;

  void clear() {
    for_each_column(*this, [](auto& column, const auto&) { column.clear(); });
    row_begin.assign(1, 0);
    rollout.clear();
  }

  /// Starts a row with masked tokens; the caller then sets weight, old log-probability and
  /// advantage of the trained ones. Returns the index of the row's first token.
  std::size_t append_row(std::span<const Token> row, std::uint32_t rollout_index = 0);

  /// Appends a copy of one row of another batch, all columns. Returns the index of its first token.
  std::size_t append_row_of(const PackedBatch& other, std::size_t row);

 private:
  /// Calls visit(column of this, column of `other`) for every column of tokens.
  template <class Visitor>
  void for_each_column(const PackedBatch& other, Visitor&& visit) {
    visit(tokens, other.tokens);
    visit(loss_weight, other.loss_weight);
    visit(sampler_log_prob, other.sampler_log_prob);
    visit(old_log_prob, other.old_log_prob);
    visit(reference_log_prob, other.reference_log_prob);
    visit(advantage, other.advantage);
    visit(old_value, other.old_value);
    visit(value_target, other.value_target);
    visit(importance_weight, other.importance_weight);
    visit(sequence_log_ratio, other.sequence_log_ratio);
    visit(agent, other.agent);
    visit(weight_version, other.weight_version);
  }
};

/// What a learner found for each trained token; 0 at masked ones. [T] each.
struct TokenOutputs {
  std::vector<double> log_prob;    // nats, at the batch's temperature
  std::vector<double> entropy;     // nats, of the distribution that the token was drawn from
  std::vector<double> value;       // of the critic before the token; 0 without a value head
  std::vector<double> loss;        // value of the token's loss, before loss_weight
  std::vector<double> d_log_prob;  // of that loss

  void resize(std::size_t tokens) {
    for (std::vector<double>* column : {&log_prob, &entropy, &value, &loss, &d_log_prob})
      column->assign(tokens, 0.0);
  }
  /// Views of the columns; valid until they are resized.
  operator OutputColumns() {  // implicit
    return {log_prob.data(), entropy.data(), value.data(), loss.data(), d_log_prob.data()};
  }
};

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/trace/packed_batch.inl"
#endif
