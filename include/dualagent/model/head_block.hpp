#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "dualagent/core/thread_pool.hpp"
#include "dualagent/core/types.hpp"
#include "dualagent/model/backend.hpp"
#include "dualagent/model/linear.hpp"
#include "dualagent/model/model_axis.hpp"
#include "dualagent/model/policy_head.hpp"
#include "dualagent/model/policy_loss.hpp"
#include "dualagent/trace/batch_columns.hpp"

namespace dualagent::detail {

/// Some trained tokens of a batch on their way through a transformer's head, forward and back; one
/// thread works on it. With the ModelAxis of a split model each rank has the columns of its tokens
/// of the logits, and rows are normalised over all ranks.
template <class T, class Axis = WholeModel>
class HeadBlock {
 public:
  explicit HeadBlock(const Axis& axis) : axis_(axis) {}

  /// From what is multiplied with the head, hidden [rows, width], to logits. `tokens` [rows]: the
  /// trained tokens, as indices into the batch.
  void forward(const BatchColumns& batch, std::span<const std::size_t> tokens,
               Matrix<const T> hidden, const Linear<T>& head, const T* parameters);

  /// What row r says of its token, without a value. Once for each row: it replaces the logits.
  TokenPrediction prediction(std::size_t r);

  /// Turns logits into their gradients: `loss(r, prediction)` is that of row r.
  template <class Loss>
  void differentiate(const RowNames& names, Loss&& loss) {
    if constexpr (Axis::kSplit)
      differentiate_split(names, loss);
    else
      differentiate_logits(alone_, head_.logits(), rows(), names, loss);
  }

  /// From there to gradients of the head, added to d_head unless its data are null, and d_hidden
  /// [rows, width]: of a split model what this rank adds to it.
  void backward(Matrix<const T> hidden, const Linear<T>& head, const T* parameters,
                Matrix<T> d_head, Matrix<T> d_hidden);

 private:
  static HeadWeights<T> weights(const Linear<T>& head, const T* parameters) {
    return {dense(parameters + head.weight(), head.out(), head.in()), head.transposed(),
            head.rounded()};
  }
  PolicyRows rows() const { return {target_, loss_weight_, temperature_}; }

  void split_log_softmax() {
    inverse_temperature_.clear();
    for (const float temperature : temperature_)
      inverse_temperature_.push_back(T{1} / static_cast<T>(temperature));
    split_.log_softmax(axis_, head_.logits(), inverse_temperature_, target_);
  }

  /// differentiate_logits of rows that are normalised already.
  template <class Loss>
  void differentiate_split(const RowNames& names, Loss& loss) {
    const Matrix<T>& logits = head_.logits();
    for (std::size_t r = 0; r < logits.rows; ++r) {
      const TokenPrediction now = prediction(r);
      const TokenLossGradient gradient = loss(r, now);
      if (!std::isfinite(split_.row(r).sum))
        throw_not_finite(names.kind + (" " + std::to_string(names(r))), now, gradient);
      const T weight = static_cast<T>(loss_weight_[r]) / static_cast<T>(temperature_[r]);
      cpu::logit_gradient_row(logits.columns, split_.row(r), split_.own_index(axis_, target_, r),
                              weight * static_cast<T>(gradient.d_log_prob),
                              weight * static_cast<T>(gradient.d_entropy), logits.row(r),
                              logits.row(std::min(r + 1, logits.rows - 1)));
    }
  }

  Axis axis_;
  SerialExecutor alone_;
  std::vector<Token> target_;  // [rows]
  std::vector<float> loss_weight_, temperature_;
  std::vector<T> inverse_temperature_;  // of a split model
  HeadChunk<T> head_;
  SplitLogits<T> split_;
};

template <class T, class Axis>
void HeadBlock<T, Axis>::forward(const BatchColumns& batch, std::span<const std::size_t> tokens,
                                 Matrix<const T> hidden, const Linear<T>& head,
                                 const T* parameters) {
  target_.clear(), loss_weight_.clear(), temperature_.clear();
  for (const std::size_t t : tokens) {
    target_.push_back(batch.token[t]);
    loss_weight_.push_back(batch.loss_weight[t]);
    temperature_.push_back(batch.temperature_of(t));
  }
  head_.forward(alone_, hidden, weights(head, parameters));
  if constexpr (Axis::kSplit) split_log_softmax();
}

template <class T, class Axis>
TokenPrediction HeadBlock<T, Axis>::prediction(std::size_t r) {
  if constexpr (Axis::kSplit) {
    const T log_prob = split_.z_of_target(r) - split_.row(r).log_sum;
    return {static_cast<double>(log_prob), static_cast<double>(split_.row(r).entropy), 0.0};
  } else {
    const cpu::LogitsRow<T> row = log_softmax(head_.logits(), rows(), r);
    return detail::prediction(head_.logits(), rows(), r, row);
  }
}

template <class T, class Axis>
void HeadBlock<T, Axis>::backward(Matrix<const T> hidden, const Linear<T>& head,
                                  const T* parameters, Matrix<T> d_head, Matrix<T> d_hidden) {
  head_.backward(alone_, hidden, weights(head, parameters), d_head, d_hidden);
}

}  // namespace dualagent::detail
