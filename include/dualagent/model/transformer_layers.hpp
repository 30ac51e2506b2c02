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

}  // namespace dualagent::detail
