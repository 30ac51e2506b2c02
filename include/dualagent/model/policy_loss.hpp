#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/thread_pool.hpp"
#include "dualagent/core/types.hpp"
#include "dualagent/cpu/policy_loss.inl"
#include "dualagent/kernels/mask.inl"
#include "dualagent/kernels/matrix.inl"
#include "dualagent/model/backend.hpp"
#include "dualagent/trace/packed_batch.hpp"

namespace dualagent {

using kernels::dense;
using kernels::Matrix;

/// What each of T rows is trained on.
struct PolicyRows {
  std::span<const Token> target;       // [T] the token whose log-probability the loss is about
  std::span<const float> loss_weight;  // [T] factor of the row's loss; 0 = masked
  std::span<const float> temperature;  // [T] logits are divided by it; > 0. Empty: 1

  std::size_t size() const { return target.size(); }
  float temperature_of(std::size_t r) const { return temperature.empty() ? 1.0F : temperature[r]; }
};

namespace detail {

/// Replaces row r by log-softmax's z and says what is known of it; see cpu::log_softmax_row.
template <class T>
cpu::LogitsRow<T> log_softmax(const Matrix<T>& logits, const PolicyRows& rows, std::size_t r) {
  return cpu::log_softmax_row<T>(logits.columns, T{1} / static_cast<T>(rows.temperature_of(r)),
                                 logits.row(r), nullptr);
}

/// Of a row that log_softmax has replaced.
template <class T>
TokenPrediction prediction(const Matrix<T>& logits, const PolicyRows& rows, std::size_t r,
                           const cpu::LogitsRow<T>& row) {
  const T log_prob = logits.row(r)[static_cast<std::size_t>(rows.target[r])] - row.log_sum;
  return {static_cast<double>(log_prob), static_cast<double>(row.entropy), 0.0};
}

/// What errors, and the user, call row r: `of`[r], or r itself where it is empty.
struct RowNames {
  std::span<const std::size_t> of = {};
  const char* kind = "row";

  std::size_t operator()(std::size_t r) const { return of.empty() ? r : of[r]; }
};

[[noreturn]] void throw_not_finite(const std::string& where, const TokenPrediction& now,
                                   const TokenLossGradient& gradient);

/// Turns row r of logits into its gradient; `next` is fetched meanwhile.
template <class T, class Loss>
void differentiate_row(const Matrix<T>& logits, const PolicyRows& rows, std::size_t r,
                       const RowNames& names, const T* next, Loss& loss) {
  if (!kernels::is_trained(rows.loss_weight[r])) {
    std::fill_n(logits.row(r), logits.columns, T{0});
    return;
  }
  const cpu::LogitsRow<T> row = log_softmax(logits, rows, r);
  const TokenPrediction now = prediction(logits, rows, r, row);
  const TokenLossGradient gradient = loss(r, now);
  if (!std::isfinite(gradient.value + gradient.d_log_prob + gradient.d_entropy) ||
      !std::isfinite(row.sum))
    throw_not_finite(names.kind + (" " + std::to_string(names(r))), now, gradient);
  const T weight = static_cast<T>(rows.loss_weight[r]) / static_cast<T>(rows.temperature_of(r));
  cpu::logit_gradient_row(logits.columns, row, static_cast<std::size_t>(rows.target[r]),
                          weight * static_cast<T>(gradient.d_log_prob),
                          weight * static_cast<T>(gradient.d_entropy), logits.row(r), next);
}

/// policy_loss_on_logits without its checks and outputs, by a ThreadPool or SerialExecutor.
template <class Team, class T, class Loss>
void differentiate_logits(Team& team, const Matrix<T>& logits, const PolicyRows& rows,
                          const RowNames& names, Loss&& loss) {
  constexpr std::size_t kTurn = 8;  // rows; the next one is then mostly one's own
  team.for_each_dynamic((logits.rows + kTurn - 1) / kTurn, [&](std::size_t, std::size_t turn) {
    const std::size_t end = std::min(logits.rows, (turn + 1) * kTurn);
    for (std::size_t r = turn * kTurn; r < end; ++r)
      differentiate_row(logits, rows, r, names, logits.row(std::min(r + 1, end - 1)), loss);
  });
}

/// Calls the user's loss and notes what came of it.
template <class Loss>
auto record_outputs(Loss& loss, TokenOutputs& outputs, const RowNames& names) {
  return [&loss, &outputs, names](std::size_t r, const TokenPrediction& now) {
    const std::size_t t = names(r);
    const TokenLossGradient gradient = loss(t, now);
    outputs.log_prob[t] = now.log_prob;
    outputs.entropy[t] = now.entropy;
    outputs.loss[t] = gradient.value;
    outputs.d_log_prob[t] = gradient.d_log_prob;
    return gradient;
  };
}

void check(const PolicyRows& rows, std::size_t count, std::size_t vocab, const std::string& where);

void check(const TokenOutputs& outputs, std::size_t count, const std::string& where);

}  // namespace detail

/// A policy loss on logits [T, V], forward and backward in one pass over each row: the gradient is
/// written over the logits.
///
/// For row t with logits l_t [V], z = l_t / temperature_t, log p = log-softmax(z):
/// `loss(t, TokenPrediction{log p[target_t], entropy of p})` returns a `TokenLossGradient` (write
/// the loss as one scalar function and let kernels::differentiate derive it), and l_t becomes
/// d(loss_weight_t * loss_t) / d(l_t). `loss` is called once per trained row, from several threads,
/// and must be pure; `now.value` is 0.
/// Masking: a row of weight 0 is not read, its gradient is exactly 0, its outputs stay.
/// Logits of -infinity are impossible tokens: probability 0, gradient 0.
/// Writes all of `outputs` but `value` of the trained rows; they have T entries.
/// Memory: none beyond the arguments. Time: reads and writes the logits once.
/// Determinism: a row's bits depend on the row alone, never on threads or other rows.
/// Errors: Error before anything is written if sizes differ, a target is outside of [0, V) or a
/// temperature is not > 0; Error that names the row if a logit is NaN or +infinity, all are
/// -infinity, or the loss or a derivative is not finite (other rows may be overwritten by then).
/// Example: policy_loss_on_logits(pool, dense(data, t, v), rows, loss, outputs)
template <class T, class Loss>
void policy_loss_on_logits(ThreadPool& pool, const Matrix<T>& logits, const PolicyRows& rows,
                           Loss&& loss, TokenOutputs& outputs) {
  const std::string where = "policy_loss_on_logits";
  if (logits.stride < logits.columns)
    throw Error("rows of " + std::to_string(logits.columns) + " logits overlap at a stride of " +
                    std::to_string(logits.stride),
                where);
  detail::check(rows, logits.rows, logits.columns, where);
  detail::check(outputs, logits.rows, where);
  detail::differentiate_logits(pool, logits, rows, {}, detail::record_outputs(loss, outputs, {}));
}

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/model/policy_loss.inl"
#endif
