#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <type_traits>
#include <vector>

#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/model/adapter.hpp"
#include "dualagent/model/attention.hpp"
#include "dualagent/model/gemm.hpp"
#include "dualagent/model/model_axis.hpp"
#include "dualagent/model/transformer_ops.hpp"
#include "dualagent/model/transformer_weights.hpp"

namespace dualagent::detail {

/// Cosines and sines of all positions, [max_position_embeddings, head_dim / 2] each.
template <class T>
struct RotaryTable {
  explicit RotaryTable(const TransformerConfig& config) : half(config.head_dim / 2) {
    std::vector<double> frequencies;  // [half] radians per position
    for (std::size_t i = 0; i < half; ++i)
      frequencies.push_back(config.rope_scaling.scaled(
          std::pow(config.rope_theta, -static_cast<double>(i) / static_cast<double>(half))));
    cosine.reserve(config.max_position_embeddings * half);
    sine.reserve(config.max_position_embeddings * half);
    for (std::size_t position = 0; position < config.max_position_embeddings; ++position)
      for (const double frequency : frequencies) {
        const double angle = static_cast<double>(position) * frequency;
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
  AlignedVector<T> projected;      // [M, q + k] before they are normed, where a model does that
  AlignedVector<T> inverse_heads;  // [M, heads + kv_heads] 1 / rms of them
  ReducedRows<T> reduced;          // where an adapter changes the products

  /// Bytes of a row, but for what an adapter adds.
  static std::size_t row_bytes(const TransformerConfig& config) {
    const std::size_t norms = config.num_attention_heads + config.num_key_value_heads;
    const std::size_t heads = 2 * norms;  // of queries, keys and values, and of the output
    return sizeof(T) *
           (4 * config.hidden_size + heads * config.head_dim + 3 * config.intermediate_size + 2 +
            (config.qk_norm ? norms * (config.head_dim + 1) : 0));
  }

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

/// What is normed and rotated: the queries and keys of M rows of q, k, v.
template <class T>
struct QueriesAndKeys : HeadLayout {
  const TransformerWeights<T>& weights;
  const LayerWeights<T>& layer;

  QueriesAndKeys(const TransformerWeights<T>& of, const LayerWeights<T>& in)
      : HeadLayout(of.config()), weights(of), layer(in) {}

  std::size_t count() const { return heads + kv_heads; }
  std::size_t norm(std::size_t head) const {
    return head < heads ? *layer.query_norm : *layer.key_norm;
  }

  /// Norms every head, where the model does that.
  void norm_forward(Matrix<T> qkv, LayerActivations<T>& act) const {
    if (!layer.query_norm) return;
    grow(act.projected, qkv.rows * count() * dim);
    grow(act.inverse_heads, qkv.rows * count());
    const auto epsilon = static_cast<T>(weights.config().rms_norm_eps);
    for (std::size_t i = 0; i < qkv.rows; ++i) {
      T* const before = act.projected.data() + i * count() * dim;
      std::copy_n(qkv.row(i), count() * dim, before);
      for (std::size_t head = 0; head < count(); ++head)
        act.inverse_heads[i * count() + head] = rms_norm(
            dim, before + head * dim, weights.at(norm(head)), epsilon, qkv.row(i) + head * dim);
    }
  }

  /// Replaces gradients of what was normed by those of what was projected; adds to the norms',
  /// which are of all ranks' heads.
  template <class Axis>
  void norm_backward(const Axis& axis, const LayerActivations<T>& act, Matrix<T> d_qkv,
                     AlignedVector<T>& scratch, T* gradients) const {
    if (!layer.query_norm) return;
    if constexpr (Axis::kSplit) {
      AlignedVector<T> sums(2 * dim, T{0});
      norm_backward(act, d_qkv, scratch, sums.data(), sums.data() + dim);
      axis.sum(std::span<T>(sums));
      for (std::size_t i = 0; i < dim; ++i) {
        gradients[*layer.query_norm + i] += sums[i];
        gradients[*layer.key_norm + i] += sums[dim + i];
      }
    } else {
      norm_backward(act, d_qkv, scratch, gradient_at(gradients, *layer.query_norm),
                    gradient_at(gradients, *layer.key_norm));
    }
  }

  /// Turns every head by its row's position; `sign` -1 turns back.
  void rotate_all(const RotaryTable<T>& rotary, std::span<const std::size_t> positions, T sign,
                  Matrix<T> qkv) const {
    for (std::size_t i = 0; i < qkv.rows; ++i)
      for (std::size_t head = 0; head < count(); ++head)
        rotate(dim, rotary.cosine.data() + positions[i] * rotary.half,
               rotary.sine.data() + positions[i] * rotary.half, sign, qkv.row(i) + head * dim);
  }

 private:
  void norm_backward(const LayerActivations<T>& act, Matrix<T> d_qkv, AlignedVector<T>& scratch,
                     T* d_query_norm, T* d_key_norm) const {
    grow(scratch, dim);
    for (std::size_t i = 0; i < d_qkv.rows; ++i)
      for (std::size_t head = 0; head < count(); ++head) {
        T* const d = d_qkv.row(i) + head * dim;
        std::copy_n(d, dim, scratch.data());
        std::fill_n(d, dim, T{0});
        rms_norm_backward(dim, act.projected.data() + (i * count() + head) * dim,
                          weights.at(norm(head)), act.inverse_heads[i * count() + head],
                          scratch.data(), d, head < heads ? d_query_norm : d_key_norm);
      }
  }
};

/// x = the embedding of a token; of a split model 0 on the ranks that do not have it.
template <class T, class Axis>
void embed(const TransformerWeights<T>& weights, [[maybe_unused]] const Axis& axis, Token token,
           T* x) {
  const std::size_t d = weights.config().hidden_size;
  auto row = static_cast<std::size_t>(token);
  if constexpr (Axis::kSplit) {
    row -= axis.tokens().begin;  // wraps below it
    if (row >= axis.tokens().size()) {
      std::fill_n(x, d, T{0});
      return;
    }
  }
  std::copy_n(weights.at(weights.embedding()) + row * d, d, x);
}

/// What a split model's ranks add to the residual stream: out += the sum of all in W^T. One rank
/// brings the stream itself.
template <class Team, class T, class Axis>
void add_split_product(Team& team, const Axis& axis, const T* parameters, const Linear<T>& linear,
                       Matrix<const T> in, Matrix<T> out) {
  if (linear.in() == 0) {  // a rank without attention
    if (!axis.is_first()) std::fill_n(out.data, out.rows * out.stride, T{0});
  } else if (axis.is_first()) {
    linear.template forward<Store::accumulate>(team, parameters, in, out);
  } else {
    linear.forward(team, parameters, in, out);
  }
  axis.sum(out);
}

/// One of a layer's products with what adapters add to it: out = in W^T, or out += in W^T where out
/// is the residual stream.
template <class Team, class T, class Axis>
void forward_product(Team& team, const TransformerWeights<T>& weights, std::size_t index,
                     Product product, Matrix<const T> in, Matrix<T> out,
                     std::span<const AdaptedRows<T>> adapted, ReducedRows<T>& reduced,
                     [[maybe_unused]] const Axis& axis) {
  const Linear<T>& linear = linear_of(weights.layer(index), product);
  const bool adds = product == Product::output || product == Product::down;
  if constexpr (Axis::kSplit) {
    if (adds) return add_split_product(team, axis, weights.at(0), linear, in, out);
    return linear.forward(team, weights.at(0), in, out);
  } else {
    if (adds)
      linear.template forward<Store::accumulate>(team, weights.at(0), in, out);
    else
      linear.forward(team, weights.at(0), in, out);
    add_low_rank(adapted, index, product, in, out, reduced);
  }
}

/// A layer forward up to its last product: all of `act`. x [M, hidden] becomes the residual stream
/// after attention. See `forward_layer`.
template <class Team, class T, class Attend, class Axis = WholeModel>
void forward_activations(Team& team, const TransformerWeights<T>& weights,
                         const RotaryTable<T>& rotary, std::size_t index,
                         std::span<const std::size_t> positions, T* data,
                         std::type_identity_t<std::span<const AdaptedRows<T>>> adapted,
                         LayerActivations<T>& act, Attend&& attend, const Axis& axis = {}) {
  const LayerWeights<T>& layer = weights.layer(index);
  const std::size_t rows = positions.size();
  const std::size_t d = weights.config().hidden_size;
  const std::size_t f = weights.config().intermediate_size;
  const auto epsilon = static_cast<T>(weights.config().rms_norm_eps);
  act.resize(weights, rows);
  const Matrix<T> x = dense(data, rows, d);
  const auto norm = [&](std::size_t weight, AlignedVector<T>& before, AlignedVector<T>& inverse,
                        AlignedVector<T>& normed) {
    for_each_share(team, rows, 1, [&](std::size_t first, std::size_t count) {
      std::copy_n(x.row(first), count * d, before.data() + first * d);
      for (std::size_t i = first; i < first + count; ++i)
        inverse[i] = rms_norm(d, x.row(i), weights.at(weight), epsilon, normed.data() + i * d);
    });
    return dense(normed.data(), rows, d);
  };
  const auto multiply = [&](Product product, Matrix<const T> in, Matrix<T> out) {
    forward_product(team, weights, index, product, in, out, adapted, act.reduced, axis);
  };

  const Matrix<T> qkv = dense(act.qkv.data(), rows, weights.qkv_size());
  const Matrix<T> mixed = dense(act.mixed.data(), rows, weights.heads_size());
  const QueriesAndKeys<T> heads(weights, layer);
  const Matrix<T> normed = norm(layer.input_norm, act.x_in, act.inverse_in, act.normed_in);
  if (heads.count() > 0) {  // a rank of a split model may have none
    multiply(Product::qkv, normed, qkv);
    heads.norm_forward(qkv, act);
    for_each_share(team, rows, 1, [&](std::size_t first, std::size_t count) {
      heads.rotate_all(rotary, positions.subspan(first, count), T{1}, qkv.rows_at(first, count));
    });
    attend(qkv, mixed);
  }
  multiply(Product::output, mixed, x);

  const Matrix<T> gate_up = dense(act.gate_up.data(), rows, 2 * f);
  const Matrix<T> activated = dense(act.act.data(), rows, f);
  multiply(Product::gate_up, norm(layer.post_norm, act.x_mid, act.inverse_mid, act.normed_mid),
           gate_up);
  for_each_share(team, rows, 1, [&](std::size_t first, std::size_t count) {
    for (std::size_t i = first; i < first + count; ++i)
      swiglu(f, gate_up.row(i), gate_up.row(i) + f, activated.row(i));
  });
}

/// One layer forward for M rows by a team (ThreadPool or SerialExecutor): x [M, hidden] is replaced
/// by the layer's output.
///
/// `adapted` says which adapters change which rows; empty: none does. `attend(qkv, mixed)` computes
/// attention from rotated q, k, v rows; everything else treats rows alone, so that a row's bits do
/// not depend on its neighbours, nor on the team. `axis`: WholeModel, or the ModelAxis of a split
/// model.
template <class Team, class T, class Attend, class Axis = WholeModel>
void forward_layer(Team& team, const TransformerWeights<T>& weights, const RotaryTable<T>& rotary,
                   std::size_t index, std::span<const std::size_t> positions, T* data,
                   std::type_identity_t<std::span<const AdaptedRows<T>>> adapted,
                   LayerActivations<T>& act, Attend&& attend, const Axis& axis = {}) {
  forward_activations(team, weights, rotary, index, positions, data, adapted, act, attend, axis);
  const std::size_t rows = positions.size();
  forward_product(team, weights, index, Product::down,
                  dense<const T>(act.act.data(), rows, weights.config().intermediate_size),
                  dense(data, rows, weights.config().hidden_size), adapted, act.reduced, axis);
}

}  // namespace dualagent::detail
