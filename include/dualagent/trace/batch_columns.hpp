#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "dualagent/core/types.hpp"
#include "dualagent/kernels/segments.inl"
#include "dualagent/loops/token_loss.inl"

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

/// A PackedBatch as a learner reads it: views of its columns, T tokens in R rows. They lie in the
/// learner's memory, which is the host's for a learner that computes there; see `Learner`.
///
/// A plain value, as a kernel takes it. A batch on the host converts to its own columns, as a
/// vector does to a span; they are valid until the batch changes. The position of token t in its
/// row is t - row_begin[row_of(t)].
struct BatchColumns {
  std::size_t tokens = 0;
  std::size_t rows = 0;
  const Token* token = nullptr;                   ///< [T]
  const std::size_t* row_begin = nullptr;         ///< [R + 1] first token of each row
  const float* loss_weight = nullptr;             ///< [T] factor of the token's loss; 0 = masked
  const AgentRole* agent = nullptr;               ///< [T] who made the token
  const float* sampler_log_prob = nullptr;        ///< [T] that the sampled span carries, nats
  const WeightVersion* weight_version = nullptr;  ///< [T] of the weights it was drawn from
  const std::uint32_t* rollout = nullptr;  ///< [R] index of the row's rollout, for error messages
  PerAgent temperature = 1.0F;             ///< of the trained distributions; > 0
  WeightVersion old_weight_version = 0;    ///< of the policy at the beginning of the step
  loops::TokenColumns loss;                ///< what the objective reads

  constexpr std::size_t size() const { return tokens; }
  constexpr std::size_t row_size(std::size_t row) const {
    return row_begin[row + 1] - row_begin[row];
  }
  /// The row that token t lies in. Time: log R.
  constexpr std::size_t row_of(std::size_t t) const {
    return kernels::segment_of(rows, row_begin, t);
  }
  /// Of the distribution that token t was drawn from.
  constexpr float temperature_of(std::size_t t) const { return temperature.of(agent[t]); }

  /// Names token t for people; of columns on the host.
  std::string place_of(std::size_t t) const {
    const std::size_t row = row_of(t);
    return "rollout " + std::to_string(rollout[row]) + ", token " +
           std::to_string(t - row_begin[row]) + " of row " + std::to_string(row);
  }
};

/// Predictions, and losses with their derivatives, as the host has them: in double, so that
/// gradients can be checked.
using TokenPrediction = kernels::TokenPrediction<double>;
using TokenLossGradient = kernels::TokenGradient<double>;

/// Where a learner writes what it found for each trained token: columns [T] in its memory, see
/// TokenOutputs. Those of masked tokens stay as they are. A null column is not written.
struct OutputColumns {
  double* log_prob = nullptr;    ///< nats, at the batch's temperature
  double* entropy = nullptr;     ///< nats, of the distribution that the token was drawn from
  double* value = nullptr;       ///< of the critic before the token; 0 without a value head
  double* loss = nullptr;        ///< of the token, before its loss weight; `backward` only
  double* d_log_prob = nullptr;  ///< derivative of that loss; `backward` only

  template <class T>
  DUALAGENT_HD constexpr void write(std::size_t t, const kernels::TokenPrediction<T>& now) const {
    put(log_prob, t, now.log_prob);
    put(entropy, t, now.entropy);
    put(value, t, now.value);
  }
  template <class T>
  DUALAGENT_HD constexpr void write(std::size_t t,
                                    const kernels::TokenGradient<T>& gradient) const {
    put(loss, t, gradient.value);
    put(d_log_prob, t, gradient.d_log_prob);
  }

 private:
  template <class T>
  DUALAGENT_HD static constexpr void put(double* column, std::size_t t, T number) {
    if (column != nullptr) column[t] = static_cast<double>(number);
  }
};

}  // namespace dualagent
