#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/core/types.hpp"

namespace dualagent {

/// One number for each agent; a single number means both.
struct PerAgent {
  float answerer = 1.0F;
  float summarizer = 1.0F;
  constexpr PerAgent(float both) : answerer(both), summarizer(both) {}  // implicit
  constexpr PerAgent(float of_answerer, float of_summarizer)
      : answerer(of_answerer), summarizer(of_summarizer) {}
  constexpr float of(AgentRole agent) const {
    return agent == AgentRole::answerer ? answerer : summarizer;
  }
  friend constexpr bool operator==(const PerAgent&, const PerAgent&) = default;
};

/// Ragged rows of tokens one after another, without padding: what a model is trained on.
///
/// T tokens in R rows; row r is [row_begin[r], row_begin[r + 1]). Token t is predicted from the
/// tokens before it in its own row, so the first token of a row cannot be trained.
/// Masking: `loss_weight[t] == 0` means that t is given or not in the training view; its
/// log-probability is neither computed nor differentiated.
struct PackedBatch {
  std::vector<Token> tokens;              // [T]
  std::vector<std::size_t> row_begin{0};  // [R + 1]
  std::vector<float> loss_weight;         // [T] factor of the token's loss; 0 = masked
  std::vector<float> sampler_log_prob;    // [T] that the sampled span carries, nats
  std::vector<float> old_log_prob;        // [T] of the policy at the beginning of the step, nats
  std::vector<float> reference_log_prob;  // [T] of the frozen reference policy, nats
  std::vector<float> advantage;           // [T]
  std::vector<float> old_value;           // [T] of the critic at the beginning of the step
  std::vector<float> value_target;        // [T] what the critic should have said
  std::vector<AgentRole> agent;           // [T] who made the token
  std::vector<WeightVersion> weight_version;  // [T] of the weights that the token was drawn from
  std::vector<std::uint32_t> rollout;         // [R] index of the row's rollout, for error messages
  PerAgent temperature = 1.0F;                // of the trained distributions; > 0
  WeightVersion old_weight_version = 0;       // of the policy at the beginning of the step

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
  std::size_t row_of(std::size_t t) const {
    const auto next = std::upper_bound(row_begin.begin(), row_begin.end(), t);
    return static_cast<std::size_t>(next - row_begin.begin()) - 1;
  }

  void clear() {
    tokens.clear();
    row_begin.assign(1, 0);
    loss_weight.clear();
    sampler_log_prob.clear();
    old_log_prob.clear();
    reference_log_prob.clear();
    advantage.clear();
    old_value.clear();
    value_target.clear();
    agent.clear();
    weight_version.clear();
    rollout.clear();
  }

  /// Starts a row with masked tokens; the caller then sets weight, old log-probability and
  /// advantage of the trained ones. Returns the index of the row's first token.
  std::size_t append_row(std::span<const Token> row, std::uint32_t rollout_index = 0) {
    if (row.empty()) throw Error("a training row is empty", "PackedBatch::append_row");
    const std::size_t begin = tokens.size();
    tokens.insert(tokens.end(), row.begin(), row.end());
    loss_weight.resize(tokens.size(), 0.0F);
    sampler_log_prob.resize(tokens.size(), 0.0F);
    old_log_prob.resize(tokens.size(), 0.0F);
    reference_log_prob.resize(tokens.size(), 0.0F);
    advantage.resize(tokens.size(), 0.0F);
    old_value.resize(tokens.size(), 0.0F);
    value_target.resize(tokens.size(), 0.0F);
    agent.resize(tokens.size(), AgentRole::answerer);
    weight_version.resize(tokens.size(), 0);
    row_begin.push_back(tokens.size());
    rollout.push_back(rollout_index);
    return begin;
  }

  /// Appends a copy of one row of another batch, all columns. Returns the index of its first token.
  std::size_t append_row_of(const PackedBatch& other, std::size_t row) {
    const std::size_t begin = tokens.size();
    const auto copy = [&](auto& to, const auto& from) {
      to.insert(to.end(), from.begin() + static_cast<std::ptrdiff_t>(other.row_begin[row]),
                from.begin() + static_cast<std::ptrdiff_t>(other.row_begin[row + 1]));
    };
    copy(tokens, other.tokens);
    copy(loss_weight, other.loss_weight);
    copy(sampler_log_prob, other.sampler_log_prob);
    copy(old_log_prob, other.old_log_prob);
    copy(reference_log_prob, other.reference_log_prob);
    copy(advantage, other.advantage);
    copy(old_value, other.old_value);
    copy(value_target, other.value_target);
    copy(agent, other.agent);
    copy(weight_version, other.weight_version);
    row_begin.push_back(tokens.size());
    rollout.push_back(other.rollout[row]);
    return begin;
  }
};

/// What a model says of one trained token.
struct TokenPrediction {
  double log_prob = 0;  ///< nats, at the batch's temperature
  double entropy = 0;   ///< nats, of the distribution that the token was drawn from
  double value = 0;     ///< of the critic before the token; 0 without a value head
};

/// What a forward pass found for each trained token; 0 at masked ones. [T] each.
struct TokenOutputs {
  std::vector<double> log_prob;  // nats, at the batch's temperature
  std::vector<double> entropy;   // nats, of the distribution that the token was drawn from
  std::vector<double> value;     // of the critic before the token; 0 without a value head
  std::vector<double> loss;      // value of the token's loss, before loss_weight

  void resize(std::size_t tokens) {
    log_prob.assign(tokens, 0.0);
    entropy.assign(tokens, 0.0);
    value.assign(tokens, 0.0);
    loss.assign(tokens, 0.0);
  }
};

}  // namespace dualagent
