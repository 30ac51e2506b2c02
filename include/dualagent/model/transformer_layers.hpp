#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/model/gemm.hpp"
#include "dualagent/model/transformer_ops.hpp"
#include "dualagent/model/transformer_weights.hpp"

namespace dualagent::detail {

/// Cosines and sines of all positions, [max_position_embeddings, head_dim / 2] each.
template <class T>
struct RotaryTable {
  explicit RotaryTable(const TransformerConfig& config) : half(config.head_dim / 2) {
    for (std::size_t position = 0; position < config.max_position_embeddings; ++position)
      for (std::size_t i = 0; i < half; ++i) {
        const double angle =
            static_cast<double>(position) *
            std::pow(config.rope_theta, -static_cast<double>(i) / static_cast<double>(half));
        cosine.push_back(static_cast<T>(std::cos(angle)));
        sine.push_back(static_cast<T>(std::sin(angle)));
      }
  }
  std::size_t half;
  AlignedVector<T> cosine, sine;
};

/// What one layer computes for M rows and what its backward pass needs again.
template <class T>
struct LayerActivations {
  AlignedVector<T> x_in;                     // [M, hidden] residual stream before the layer
  AlignedVector<T> normed_in;                // [M, hidden]
  AlignedVector<T> qkv;                      // [M, q + k + v], rotated
  AlignedVector<T> mixed;                    // [M, heads * head_dim] attention output
  AlignedVector<T> x_mid;                    // [M, hidden] residual stream after attention
  AlignedVector<T> normed_mid;               // [M, hidden]
  AlignedVector<T> gate_up;                  // [M, 2 * intermediate]
  AlignedVector<T> act;                      // [M, intermediate]
  AlignedVector<T> inverse_in, inverse_mid;  // [M] 1 / rms
  AlignedVector<T> attention;                // probabilities; training only, see ChunkAttention

  void resize(const TransformerWeights<T>& weights, std::size_t rows) {
    const std::size_t d = weights.config().hidden_size;
    const std::size_t f = weights.config().intermediate_size;
    grow(x_in, rows * d);
    grow(normed_in, rows * d);
    grow(qkv, rows * weights.qkv_size());
    grow(mixed, rows * weights.heads_size());
    grow(x_mid, rows * d);
    grow(normed_mid, rows * d);
    grow(gate_up, rows * 2 * f);
    grow(act, rows * f);
    grow(inverse_in, rows);
    grow(inverse_mid, rows);
  }
};

/// One layer forward for M rows: x [M, hidden] is replaced by the layer's output.
///
/// `attend(qkv, mixed)` computes attention from rotated q, k, v rows; everything else treats rows
/// alone, so that a row's bits do not depend on its neighbours.
template <class T, class Attend>
void forward_layer(const TransformerWeights<T>& weights, const RotaryTable<T>& rotary,
                   std::size_t layer, std::span<const std::size_t> positions, T* x,
                   LayerActivations<T>& act, Attend&& attend) {
  const TransformerConfig& config = weights.config();
  const LayerOffsets& at = weights.layer(layer);
  const auto& transposed = weights.transposed(layer);
  const std::size_t rows = positions.size();
  const std::size_t d = config.hidden_size;
  const std::size_t f = config.intermediate_size;
  const std::size_t qkv = weights.qkv_size();
  const std::size_t q = weights.heads_size();
  const auto epsilon = static_cast<T>(config.rms_norm_eps);
  const std::size_t rotated_heads = config.num_attention_heads + config.num_key_value_heads;
  act.resize(weights, rows);

  std::copy(x, x + rows * d, act.x_in.data());
  for (std::size_t i = 0; i < rows; ++i)
    act.inverse_in[i] =
        rms_norm(d, x + i * d, weights.at(at.input_norm), epsilon, act.normed_in.data() + i * d);
  gemm(dense(act.normed_in.data(), rows, d), transposed.qkv.panels(),
       dense(act.qkv.data(), rows, qkv));
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t head = 0; head < rotated_heads; ++head)
      rotate(config.head_dim, rotary.cosine.data() + positions[i] * rotary.half,
             rotary.sine.data() + positions[i] * rotary.half, T{1},
             act.qkv.data() + i * qkv + head * config.head_dim);
  const Matrix<T> mixed = dense(act.mixed.data(), rows, q);
  attend(dense(act.qkv.data(), rows, qkv), mixed);
  gemm<Store::accumulate>(mixed, transposed.output.panels(), dense(x, rows, d));

  std::copy(x, x + rows * d, act.x_mid.data());
  for (std::size_t i = 0; i < rows; ++i)
    act.inverse_mid[i] =
        rms_norm(d, x + i * d, weights.at(at.post_norm), epsilon, act.normed_mid.data() + i * d);
  gemm(dense(act.normed_mid.data(), rows, d), transposed.gate_up.panels(),
       dense(act.gate_up.data(), rows, 2 * f));
  for (std::size_t i = 0; i < rows; ++i)
    swiglu(f, act.gate_up.data() + i * 2 * f, act.gate_up.data() + i * 2 * f + f,
           act.act.data() + i * f);
  gemm<Store::accumulate>(dense(act.act.data(), rows, f), transposed.down.panels(),
                          dense(x, rows, d));
}

/// Rows of attention scores that are computed together; probabilities beyond a row's own position
/// are exactly 0, so the block changes no bits.
inline constexpr std::size_t kQueryBlock = 12;

/// Attention of consecutive queries [rows, head_dim] of one head, the first at position `first`.
///
/// keys [head_dim, positions]; values [positions, head_dim]; scores is scratch of [rows, width],
/// width a multiple of the lanes >= first + rows; out [rows, head_dim].
template <class T>
void attend_head(std::size_t first, Matrix<const T> queries, Panels<T> keys, Matrix<const T> values,
                 Matrix<T> scores, Matrix<T> out) {
  const T scale = T{1} / std::sqrt(static_cast<T>(queries.columns));
  for (std::size_t begin = 0; begin < queries.rows; begin += kQueryBlock) {
    const std::size_t count = std::min(kQueryBlock, queries.rows - begin);
    const std::size_t seen = first + begin + count;  // keys that the last row of the block sees
    const Matrix<T> block = scores.rows_at(begin, count);
    gemm(queries.rows_at(begin, count), keys, block.columns_at(0, kernels::padded<T>(seen)));
    for (std::size_t i = 0; i < count; ++i)
      softmax_row(first + begin + i + 1, block.columns, scale, block.row(i));
    gemm(block.columns_at(0, seen), values.rows_at(0, seen), out.rows_at(begin, count));
  }
}

/// Packed sequences that go forward and backward together, and all their activations.
template <class T>
class Chunk {
 public:
  Chunk(const TransformerWeights<T>& weights, const RotaryTable<T>& rotary)
      : weights_(&weights), rotary_(&rotary), layers_(weights.config().num_hidden_layers) {}

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
                    [&](Matrix<const T> qkv, Matrix<T> mixed) { attend(layers_[l], qkv, mixed); });
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
  static std::size_t padded(std::size_t n) { return kernels::padded<T>(n); }

  /// Calls visit(first_row, length, head, kv_head, offset) for every sequence and head; offset is
  /// where its probabilities [length, padded(length)] lie in LayerActivations::attention.
  template <class Visitor>
  void for_each_head(Visitor&& visit) const {
    const TransformerConfig& config = weights_->config();
    const std::size_t share = config.num_attention_heads / config.num_key_value_heads;
    std::size_t first = 0;
    std::size_t offset = 0;
    for (const std::size_t length : lengths_) {
      for (std::size_t head = 0; head < config.num_attention_heads; ++head) {
        visit(first, length, head, head / share, offset);
        offset += length * padded(length);
      }
      first += length;
    }
  }

  std::size_t attention_size() const {
    std::size_t size = 0;
    for (const std::size_t length : lengths_)
      size += weights_->config().num_attention_heads * length * padded(length);
    return size;
  }

  /// Panels of the transpose of a matrix, in scratch memory.
  static Panels<T> transpose(Matrix<const T> from, AlignedVector<T>& to) {
    grow(to, panels_size<T>(from.columns, from.rows));
    return transpose_to_panels<T>(from, to.data());
  }

  /// The columns of one head in rows of q, k and v.
  template <class U>
  Matrix<U> queries_of(Matrix<U> qkv, std::size_t head) const {
    const std::size_t dim = weights_->config().head_dim;
    return qkv.columns_at(head * dim, dim);
  }
  template <class U>
  Matrix<U> keys_of(Matrix<U> qkv, std::size_t kv_head) const {
    return queries_of(qkv, weights_->config().num_attention_heads + kv_head);
  }
  template <class U>
  Matrix<U> values_of(Matrix<U> qkv, std::size_t kv_head) const {
    return keys_of(qkv, weights_->config().num_key_value_heads + kv_head);
  }

  void attend(LayerActivations<T>& act, Matrix<const T> qkv, Matrix<T> mixed) {
    grow(act.attention, attention_size());
    for_each_head([&](std::size_t first, std::size_t length, std::size_t head, std::size_t kv_head,
                      std::size_t offset) {
      const Matrix<const T> rows = qkv.rows_at(first, length);
      attend_head(0, queries_of(rows, head), transpose(keys_of(rows, kv_head), keys_),
                  values_of(rows, kv_head),
                  dense(act.attention.data() + offset, length, padded(length)),
                  queries_of(mixed.rows_at(first, length), head));
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
    std::fill_n(d_wide_.data(), rows() * qkv, T{0});
    for_each_head(
        [&](std::size_t first, std::size_t length, std::size_t head, std::size_t kv_head,
            std::size_t offset) { backward_head(act, first, length, head, kv_head, offset); });
    const std::size_t rotated = config.num_attention_heads + config.num_key_value_heads;
    for (std::size_t i = 0; i < rows(); ++i)
      for (std::size_t head = 0; head < rotated; ++head)
        rotate(config.head_dim, rotary_->cosine.data() + positions_[i] * rotary_->half,
               rotary_->sine.data() + positions_[i] * rotary_->half, T{-1},
               d_wide_.data() + i * qkv + head * config.head_dim);
    backward_linear(dense(d_wide_.data(), rows(), qkv), dense(act.normed_in.data(), rows(), d),
                    at.qkv, dense(d_normed_.data(), rows(), d), gradients);
    backward_norm(act.x_in.data(), act.inverse_in.data(), at.input_norm, d_normed_.data(), dx,
                  gradients);
  }

  /// Through p = softmax(scale * q k^T), out = p v, in blocks of rows that skip the empty triangle.
  void backward_head(const LayerActivations<T>& act, std::size_t first, std::size_t length,
                     std::size_t head, std::size_t kv_head, std::size_t offset) {
    const T scale = T{1} / std::sqrt(static_cast<T>(weights_->config().head_dim));
    const auto part = [&](auto* data, std::size_t columns) {
      return dense(data, rows(), columns).rows_at(first, length);
    };
    const Matrix<const T> qkv = part(act.qkv.data(), weights_->qkv_size());
    const Matrix<T> d_qkv = part(d_wide_.data(), weights_->qkv_size());
    const Matrix<const T> d_out = queries_of(part(d_inner_.data(), weights_->heads_size()), head);
    const Matrix<const T> p = dense(act.attention.data() + offset, length, padded(length));
    const Panels<T> values = transpose(values_of(qkv, kv_head), keys_);
    grow(d_scores_, length * padded(length));
    const Matrix<T> d_scores = dense(d_scores_.data(), length, padded(length));
    for (std::size_t begin = 0; begin < length; begin += kQueryBlock) {
      const std::size_t count = std::min(kQueryBlock, length - begin);
      const std::size_t seen = begin + count;
      const Matrix<T> block = d_scores.rows_at(begin, count);
      gemm(d_out.rows_at(begin, count), values, block.columns_at(0, padded(seen)));
      for (std::size_t i = 0; i < count; ++i)
        softmax_backward(padded(seen), scale, p.row(begin + i), block.row(i));
      gemm<Store::accumulate>(block.columns_at(0, seen), keys_of(qkv, kv_head).rows_at(0, seen),
                              queries_of(d_qkv, head).rows_at(begin, count));
    }
    for (std::size_t begin = 0; begin < length; begin += kQueryBlock) {  // rows of keys
      const std::size_t count = std::min(kQueryBlock, length - begin);
      const std::size_t seeing = length - begin;  // queries from `begin` on see these keys
      const auto from = [&](Matrix<const T> m) { return m.rows_at(begin, seeing); };
      gemm<Store::accumulate>(transposed(from(p).columns_at(begin, count)), from(d_out),
                              values_of(d_qkv, kv_head).rows_at(begin, count));
      gemm<Store::accumulate>(transposed(from(d_scores).columns_at(begin, count)),
                              from(queries_of(qkv, head)),
                              keys_of(d_qkv, kv_head).rows_at(begin, count));
    }
  }

  static void softmax_backward(std::size_t width, T scale, const T* p, T* d) {
    Vec<T> dot{};
    for (std::size_t i = 0; i < width; i += kernels::kLanes<T>)
      dot += kernels::load<T>(p + i) * kernels::load<T>(d + i);
    const T sum = kernels::sum_lanes<T>(dot);
    for (std::size_t i = 0; i < width; i += kernels::kLanes<T>)
      kernels::store<T>(d + i, kernels::load<T>(p + i) * (kernels::load<T>(d + i) - sum) * scale);
  }

  const TransformerWeights<T>* weights_;
  const RotaryTable<T>* rotary_;
  std::vector<std::size_t> lengths_;
  std::vector<std::size_t> positions_;  // [rows]
  std::vector<Token> tokens_;           // [rows]
  AlignedVector<T> x_;
  std::vector<LayerActivations<T>> layers_;
  AlignedVector<T> keys_;                                    // scratch [head_dim, length] in panels
  AlignedVector<T> d_wide_, d_inner_, d_normed_, d_scores_;  // scratch
};

}  // namespace dualagent::detail
