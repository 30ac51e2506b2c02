#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/cpu/policy_loss.inl"
#include "dualagent/model/backend.hpp"
#include "dualagent/model/model_axis.hpp"
#include "dualagent/model/token_sampling.hpp"

namespace dualagent::detail {

/// Draws tokens from logits whose columns are spread over a model axis. Rank 0 draws, from what
/// draw_token would draw from; the other ranks are told.
template <class T>
class SplitDraws {
 public:
  /// logits [S, this rank's tokens] are overwritten. `running(i)` is the generation of row i: its
  /// next_draw() gives SamplingOptions and 64 random bits; then append(drawn) and end(reason) are
  /// called on every rank. On rank 0, `reason(running(i))` says why it ends with that token, if it
  /// does. Errors: what it throws on rank 0, and on the others an Error that says so.
  template <class Axis, class Running, class Reason>
  void draw(const Axis& axis, Matrix<T> logits, const Running& running, const Reason& reason) {
    inverse_.clear();
    for (std::size_t i = 0; i < logits.rows; ++i)
      inverse_.push_back(inverse_temperature<T>(running(i).next_draw().first));
    split_.log_softmax(axis, logits, inverse_, {});
    const Matrix<T> z = split_.gather(axis, logits);
    told_.assign(kTold * logits.rows, 0.0);
    std::exception_ptr thrown;
    if (axis.is_first()) thrown = draw_all(z, running, reason);
    axis.sum(std::span<double>(told_));
    if (thrown) std::rethrow_exception(thrown);
    if (!told_.empty() && told_[0] < 0)
      throw Error("rank 0 failed while it drew tokens",
                  "rank " + std::to_string(axis.rank()) + " of the model axis",
                  "See rank 0's own error");
    for (std::size_t i = 0; i < z.rows; ++i) {
      const double* const told = &told_[kTold * i];
      if (!axis.is_first())
        running(i).append(DrawnToken{static_cast<Token>(told[0]), static_cast<float>(told[1]),
                                     static_cast<float>(told[2])});
      std::optional<FinishReason> why;
      if (told[3] > 0) why = static_cast<FinishReason>(told[3] - 1.0);
      running(i).end(why);
    }
  }

 private:
  static constexpr std::size_t kTold = 4;  // numbers of a row that rank 0 tells

  /// Draws for all rows. Returns what was thrown, e.g. by a StopRule; the others are told by a
  /// negative token.
  template <class Running, class Reason>
  std::exception_ptr draw_all(Matrix<T> z, const Running& running, const Reason& reason) {
    try {
      for (std::size_t i = 0; i < z.rows; ++i) draw_first(z, i, running(i), reason);
      return nullptr;
    } catch (...) {
      told_[0] = -1.0;
      return std::current_exception();
    }
  }

  /// Draws for row i.
  template <class Running, class Reason>
  void draw_first(Matrix<T> z, std::size_t i, Running& running, const Reason& reason) {
    const auto [sampling, bits] = running.next_draw();
    exps_.resize(z.stride);
    cpu::exp_row(z.columns, z.row(i), exps_.data());
    const DrawnToken drawn =
        draw_from(z.columns, sampling, bits, split_.row(i), z.row(i), exps_.data());
    running.append(drawn);
    const std::optional<FinishReason> why = reason(running);
    double* const told = &told_[kTold * i];
    told[0] = static_cast<double>(drawn.token);
    told[1] = static_cast<double>(drawn.log_prob);
    told[2] = static_cast<double>(drawn.drawn_log_prob);
    told[3] = why ? 1.0 + static_cast<double>(*why) : 0.0;
  }

  SplitLogits<T> split_;
  std::vector<T> inverse_;  // [S] 1 / temperature
  AlignedVector<T> exps_;
  std::vector<double> told_;
};

}  // namespace dualagent::detail
