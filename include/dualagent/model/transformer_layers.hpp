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

  static void grow(AlignedVector<T>& buffer, std::size_t size) {
    if (buffer.size() < size) buffer.resize(size);
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
  gemm(rows, qkv, d, Strided<T>{act.normed_in.data(), d}, Panels<T>(transposed.qkv), act.qkv.data(),
       qkv);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t head = 0; head < rotated_heads; ++head)
      rotate(config.head_dim, rotary.cosine.data() + positions[i] * rotary.half,
             rotary.sine.data() + positions[i] * rotary.half, T{1},
             act.qkv.data() + i * qkv + head * config.head_dim);
  attend(act.qkv.data(), act.mixed.data());
  gemm<Store::accumulate>(rows, d, q, Strided<T>{act.mixed.data(), q}, Panels<T>(transposed.output),
                          x, d);

  std::copy(x, x + rows * d, act.x_mid.data());
  for (std::size_t i = 0; i < rows; ++i)
    act.inverse_mid[i] =
        rms_norm(d, x + i * d, weights.at(at.post_norm), epsilon, act.normed_mid.data() + i * d);
  gemm(rows, 2 * f, d, Strided<T>{act.normed_mid.data(), d}, Panels<T>(transposed.gate_up),
       act.gate_up.data(), 2 * f);
  for (std::size_t i = 0; i < rows; ++i)
    swiglu(f, act.gate_up.data() + i * 2 * f, act.gate_up.data() + i * 2 * f + f,
           act.act.data() + i * f);
  gemm<Store::accumulate>(rows, d, f, Strided<T>{act.act.data(), f}, Panels<T>(transposed.down), x,
                          d);
}

/// Rows of attention scores that are computed together; probabilities beyond a row's own position
/// are exactly 0, so the block changes no bits.
inline constexpr std::size_t kQueryBlock = 12;

/// Attention of `rows` consecutive queries, the first at position `first`, of one head.
///
/// keys [head_dim, positions] in panels; values [.., ld_values]; scores is scratch of
/// [rows, width], width >= padded(first + rows).
template <class T>
void attend_head(std::size_t rows, std::size_t first, std::size_t head_dim, Strided<T> queries,
                 Panels<T> keys, const T* values, std::size_t ld_values, T* scores,
                 std::size_t width, T* out, std::size_t ld_out) {
  const T scale = T{1} / std::sqrt(static_cast<T>(head_dim));
  for (std::size_t begin = 0; begin < rows; begin += kQueryBlock) {
    const std::size_t count = std::min(kQueryBlock, rows - begin);
    const std::size_t seen = first + begin + count;  // keys that the last row of the block sees
    T* block = scores + begin * width;
    gemm(count, kernels::padded<T>(seen), head_dim,
         Strided<T>{queries.data + begin * queries.row, queries.row}, keys, block, width);
    for (std::size_t i = 0; i < count; ++i)
      softmax_row(first + begin + i + 1, width, scale, block + i * width);
    gemm(count, head_dim, seen, Strided<T>{block, width}, values, ld_values, out + begin * ld_out,
         ld_out);
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
                    [&](const T* qkv, T* mixed) { attend(layers_[l], qkv, mixed); });
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

  /// Panels of the transpose [columns, rows], zero padded, of [rows, columns] with leading `ld`.
  static Panels<T> transpose(std::size_t rows, std::size_t columns, const T* from, std::size_t ld,
                             AlignedVector<T>& to) {
    constexpr std::size_t kLanes = kernels::kLanes<T>;
    LayerActivations<T>::grow(to, columns * padded(rows));
    for (std::size_t first = 0; first < rows; first += kLanes) {
      T* const panel = to.data() + first * columns;
      const std::size_t filled = std::min(kLanes, rows - first);
      if (filled < kLanes) std::fill_n(panel, columns * kLanes, T{0});
      for (std::size_t r = 0; r < filled; ++r)
        for (std::size_t c = 0; c < columns; ++c)
          panel[c * kLanes + r] = from[(first + r) * ld + c];
    }
    return {to.data(), columns * kLanes};
  }

  const T* keys_of(const T* qkv, std::size_t kv_head) const {
    return qkv + weights_->heads_size() + kv_head * weights_->config().head_dim;
  }
  const T* values_of(const T* qkv, std::size_t kv_head) const {
    return keys_of(qkv, kv_head) +
           weights_->config().num_key_value_heads * weights_->config().head_dim;
  }

  void attend(LayerActivations<T>& act, const T* qkv, T* mixed) {
    const std::size_t dim = weights_->config().head_dim;
    const std::size_t ld = weights_->qkv_size();
    const std::size_t ld_out = weights_->heads_size();
    LayerActivations<T>::grow(act.attention, attention_size());
    for_each_head([&](std::size_t first, std::size_t length, std::size_t head, std::size_t kv_head,
                      std::size_t offset) {
      const T* rows = qkv + first * ld;
      const Panels<T> keys = transpose(length, dim, keys_of(rows, kv_head), ld, keys_);
      attend_head(length, 0, dim, Strided<T>{rows + head * dim, ld}, keys, values_of(rows, kv_head),
                  ld, act.attention.data() + offset, padded(length),
                  mixed + first * ld_out + head * dim, ld_out);
    });
  }

  /// y = x W^T with W [out, in]: dx (+)= dy W, dW += dy^T x.
  template <Store store>
  void backward_linear(std::size_t out, std::size_t in, const T* dy, const T* x,
                       std::size_t weight_offset, T* dx, T* gradients) const {
    gemm<Store::accumulate>(out, in, rows(), Strided<T>{dy, 1, out}, x, in,
                            gradients + weight_offset, in);
    gemm<store>(rows(), in, out, Strided<T>{dy, out}, weights_->at(weight_offset), in, dx, in);
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
    LayerActivations<T>::grow(d_wide_, rows() * std::max(2 * f, weights_->qkv_size()));
    LayerActivations<T>::grow(d_inner_, rows() * std::max(f, weights_->heads_size()));
    LayerActivations<T>::grow(d_normed_, rows() * d);
    backward_linear<Store::overwrite>(d, f, dx, act.act.data(), at.down, d_inner_.data(),
                                      gradients);
    for (std::size_t i = 0; i < rows(); ++i) {
      const T* gate = act.gate_up.data() + i * 2 * f;
      T* d_gate = d_wide_.data() + i * 2 * f;
      swiglu_backward(f, gate, gate + f, d_inner_.data() + i * f, d_gate, d_gate + f);
    }
    backward_linear<Store::overwrite>(2 * f, d, d_wide_.data(), act.normed_mid.data(), at.gate_up,
                                      d_normed_.data(), gradients);
    backward_norm(act.x_mid.data(), act.inverse_mid.data(), at.post_norm, d_normed_.data(), dx,
                  gradients);
  }

  void backward_attention(std::size_t layer, T* dx, T* gradients) {
    const TransformerConfig& config = weights_->config();
    const std::size_t qkv = weights_->qkv_size();
    const LayerOffsets& at = weights_->layer(layer);
    LayerActivations<T>& act = layers_[layer];
    backward_linear<Store::overwrite>(config.hidden_size, weights_->heads_size(), dx,
                                      act.mixed.data(), at.output, d_inner_.data(), gradients);
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
    backward_linear<Store::overwrite>(qkv, config.hidden_size, d_wide_.data(), act.normed_in.data(),
                                      at.qkv, d_normed_.data(), gradients);
    backward_norm(act.x_in.data(), act.inverse_in.data(), at.input_norm, d_normed_.data(), dx,
                  gradients);
  }

  /// Through p = softmax(scale * q k^T), out = p v, in blocks of rows that skip the empty triangle.
  void backward_head(const LayerActivations<T>& act, std::size_t first, std::size_t length,
                     std::size_t head, std::size_t kv_head, std::size_t offset) {
    const std::size_t dim = weights_->config().head_dim;
    const std::size_t ld = weights_->qkv_size();
    const std::size_t ld_out = weights_->heads_size();
    const std::size_t width = padded(length);
    const T scale = T{1} / std::sqrt(static_cast<T>(dim));
    const T* rows = act.qkv.data() + first * ld;
    const T* p = act.attention.data() + offset;
    const T* d_out = d_inner_.data() + first * ld_out + head * dim;
    T* d_rows = d_wide_.data() + first * ld;
    T* d_keys = const_cast<T*>(keys_of(d_rows, kv_head));
    T* d_values = const_cast<T*>(values_of(d_rows, kv_head));
    const Panels<T> values = transpose(length, dim, values_of(rows, kv_head), ld, keys_);
    LayerActivations<T>::grow(d_scores_, length * width);
    for (std::size_t begin = 0; begin < length; begin += kQueryBlock) {
      const std::size_t count = std::min(kQueryBlock, length - begin);
      const std::size_t seen = begin + count;
      T* d_scores = d_scores_.data() + begin * width;
      gemm(count, padded(seen), dim, Strided<T>{d_out + begin * ld_out, ld_out}, values, d_scores,
           width);
      for (std::size_t i = 0; i < count; ++i)
        softmax_backward(padded(seen), scale, p + (begin + i) * width, d_scores + i * width);
      gemm<Store::accumulate>(count, dim, seen, Strided<T>{d_scores, width}, keys_of(rows, kv_head),
                              ld, d_rows + begin * ld + head * dim, ld);
    }
    for (std::size_t begin = 0; begin < length; begin += kQueryBlock) {  // rows of keys
      const std::size_t count = std::min(kQueryBlock, length - begin);
      const std::size_t seeing = length - begin;  // queries from `begin` on see these keys
      gemm<Store::accumulate>(count, dim, seeing, Strided<T>{p + begin * width + begin, 1, width},
                              d_out + begin * ld_out, ld_out, d_values + begin * ld, ld);
      gemm<Store::accumulate>(count, dim, seeing,
                              Strided<T>{d_scores_.data() + begin * width + begin, 1, width},
                              rows + begin * ld + head * dim, ld, d_keys + begin * ld, ld);
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
