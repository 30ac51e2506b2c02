#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/model/attention.hpp"
#include "dualagent/model/gemm.hpp"
#include "dualagent/model/transformer_layers.hpp"
#include "dualagent/model/transformer_ops.hpp"
#include "dualagent/model/transformer_weights.hpp"

namespace dualagent::detail {

/// Packed sequences that go forward and backward together, and all their activations.
template <class T>
class Chunk {
 public:
  Chunk(const TransformerWeights<T>& weights, const RotaryTable<T>& rotary)
      : weights_(&weights),
        rotary_(&rotary),
        heads_(weights.config()),
        layers_(weights.config().num_hidden_layers) {}

  void clear() {
    lengths_.clear();
    positions_.clear();
    tokens_.clear();
  }
  void add(std::span<const Token> sequence) {
    lengths_.push_back(sequence.size());
    for (std::size_t i = 0; i < sequence.size(); ++i) positions_.push_back(i);
    tokens_.insert(tokens_.end(), sequence.begin(), sequence.end());
  }
  std::size_t rows() const { return tokens_.size(); }
  const T* output() const { return x_.data(); }  // [rows, hidden] before the final norm

  void forward() {
    const std::size_t d = weights_->config().hidden_size;
    x_.resize(std::max(x_.size(), rows() * d));
    for (std::size_t i = 0; i < rows(); ++i)
      std::copy_n(weights_->at(weights_->embedding()) + static_cast<std::size_t>(tokens_[i]) * d, d,
                  x_.data() + i * d);
    for (std::size_t l = 0; l < layers_.size(); ++l)
      forward_layer(*weights_, *rotary_, l, positions_, x_.data(), layers_[l],
                    [&](Matrix<const T> qkv, Matrix<T> mixed) { attend(qkv, mixed); });
  }

  /// Adds to `gradients` (laid out as the parameters); dx [rows, hidden] is the gradient of
  /// `output()` and is destroyed.
  void backward(T* dx, T* gradients) {
    const std::size_t d = weights_->config().hidden_size;
    for (std::size_t l = layers_.size(); l-- > 0;) {
      backward_feed_forward(l, dx, gradients);
      backward_attention(l, dx, gradients);
    }
    for (std::size_t i = 0; i < rows(); ++i) {
      T* to = gradients + weights_->embedding() + static_cast<std::size_t>(tokens_[i]) * d;
      for (std::size_t j = 0; j < d; ++j) to[j] += dx[i * d + j];
    }
  }

 private:
  /// Calls visit(first, length) for the rows of every sequence.
  template <class Visitor>
  void for_each_sequence(Visitor&& visit) const {
    std::size_t first = 0;
    for (const std::size_t length : lengths_) {
      visit(first, length);
      first += length;
    }
  }

  void attend(Matrix<const T> qkv, Matrix<T> mixed) {
    for_each_sequence([&](std::size_t first, std::size_t length) {
      attend_sequence(heads_, qkv.rows_at(first, length), attention_, mixed.rows_at(first, length));
    });
  }

  /// y = x W^T with W [out, in]: dx = dy W, dW += dy^T x.
  void backward_linear(Matrix<const T> dy, Matrix<const T> x, std::size_t weight_offset,
                       Matrix<T> dx, T* gradients) const {
    gemm<Store::accumulate>(transposed(dy), x,
                            dense(gradients + weight_offset, dy.columns, x.columns));
    gemm(dy, weights_->matrix(weight_offset, dy.columns, x.columns), dx);
  }

  void backward_norm(const T* x, const T* inverse, std::size_t weight_offset, const T* dy, T* dx,
                     T* gradients) const {
    const std::size_t d = weights_->config().hidden_size;
    for (std::size_t i = 0; i < rows(); ++i)
      rms_norm_backward(d, x + i * d, weights_->at(weight_offset), inverse[i], dy + i * d,
                        dx + i * d, gradients + weight_offset);
  }

  void backward_feed_forward(std::size_t layer, T* dx, T* gradients) {
    const std::size_t d = weights_->config().hidden_size;
    const std::size_t f = weights_->config().intermediate_size;
    const LayerOffsets& at = weights_->layer(layer);
    LayerActivations<T>& act = layers_[layer];
    grow(d_wide_, rows() * std::max(2 * f, weights_->qkv_size()));
    grow(d_inner_, rows() * std::max(f, weights_->heads_size()));
    grow(d_normed_, rows() * d);
    backward_linear(dense(dx, rows(), d), dense(act.act.data(), rows(), f), at.down,
                    dense(d_inner_.data(), rows(), f), gradients);
    for (std::size_t i = 0; i < rows(); ++i) {
      const T* gate = act.gate_up.data() + i * 2 * f;
      T* d_gate = d_wide_.data() + i * 2 * f;
      swiglu_backward(f, gate, gate + f, d_inner_.data() + i * f, d_gate, d_gate + f);
    }
    backward_linear(dense(d_wide_.data(), rows(), 2 * f), dense(act.normed_mid.data(), rows(), d),
                    at.gate_up, dense(d_normed_.data(), rows(), d), gradients);
    backward_norm(act.x_mid.data(), act.inverse_mid.data(), at.post_norm, d_normed_.data(), dx,
                  gradients);
  }

  void backward_attention(std::size_t layer, T* dx, T* gradients) {
    const TransformerConfig& config = weights_->config();
    const std::size_t d = config.hidden_size;
    const std::size_t q = weights_->heads_size();
    const std::size_t qkv = weights_->qkv_size();
    const LayerOffsets& at = weights_->layer(layer);
    LayerActivations<T>& act = layers_[layer];
    backward_linear(dense(dx, rows(), d), dense(act.mixed.data(), rows(), q), at.output,
                    dense(d_inner_.data(), rows(), q), gradients);
    const Matrix<T> d_qkv = dense(d_wide_.data(), rows(), qkv);
    std::fill_n(d_qkv.data, rows() * qkv, T{0});
    for_each_sequence([&](std::size_t first, std::size_t length) {
      attend_sequence_backward<T>(heads_, dense(act.qkv.data(), rows(), qkv).rows_at(first, length),
                                  dense(d_inner_.data(), rows(), q).rows_at(first, length),
                                  attention_, d_qkv.rows_at(first, length));
    });
    const std::size_t rotated = config.num_attention_heads + config.num_key_value_heads;
    for (std::size_t i = 0; i < rows(); ++i)
      for (std::size_t head = 0; head < rotated; ++head)
        rotate(config.head_dim, rotary_->cosine.data() + positions_[i] * rotary_->half,
               rotary_->sine.data() + positions_[i] * rotary_->half, T{-1},
               d_wide_.data() + i * qkv + head * config.head_dim);
    backward_linear(d_qkv, dense(act.normed_in.data(), rows(), d), at.qkv,
                    dense(d_normed_.data(), rows(), d), gradients);
    backward_norm(act.x_in.data(), act.inverse_in.data(), at.input_norm, d_normed_.data(), dx,
                  gradients);
  }

  const TransformerWeights<T>* weights_;
  const RotaryTable<T>* rotary_;
  HeadLayout heads_;
  std::vector<std::size_t> lengths_;
  std::vector<std::size_t> positions_;  // [rows]
  std::vector<Token> tokens_;           // [rows]
  AlignedVector<T> x_;
  std::vector<LayerActivations<T>> layers_;
  AttentionScratch<T> attention_;
  AlignedVector<T> d_wide_, d_inner_, d_normed_;  // scratch
};

}  // namespace dualagent::detail
