#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/model/adapter.hpp"
#include "dualagent/model/attention.hpp"
#include "dualagent/model/context_keys.hpp"
#include "dualagent/model/gemm.hpp"
#include "dualagent/model/model_axis.hpp"
#include "dualagent/model/recompute.hpp"
#include "dualagent/model/transformer_layers.hpp"
#include "dualagent/model/transformer_ops.hpp"
#include "dualagent/model/transformer_weights.hpp"

namespace dualagent::detail {

/// Packed sequences that go forward and backward together, and their activations.
///
/// With an adapter the weights are frozen: gradients are those of the adapter alone. Their bits do
/// not depend on what is kept. With the ModelAxis of a split model they are those of this rank's
/// part; with one that divides rows, from the tokens that this rank has of every sequence.
template <class T, class Axis = WholeModel>
class Chunk {
 public:
  Chunk(const TransformerWeights<T>& weights, const RotaryTable<T>& rotary,
        const Adapter<T>* adapter = nullptr, Axis axis = Axis())
      : weights_(&weights),
        rotary_(&rotary),
        adapter_(adapter),
        axis_(std::move(axis)),
        heads_(weights.config()),
        layers_(weights.config().num_hidden_layers),
        inputs_(layers_.size()) {}

  void clear() {
    lengths_.clear();
    positions_.clear();
    places_.clear();
    tokens_.clear();
    all_ = most_ = 0;
  }
  void add(std::span<const Token> sequence) {
    lengths_.push_back(sequence.size());
    for (const Shard& piece : axis_.pieces(sequence.size()))
      for (std::size_t i = piece.begin; i < piece.end; ++i) {
        positions_.push_back(i);
        places_.push_back(all_ + i);
        tokens_.push_back(sequence[i]);
      }
    all_ += sequence.size();
    most_ += axis_.most_tokens(sequence.size());
  }
  /// Tokens on this rank, and a bound of those on any rank, which is the same on all.
  std::size_t rows() const { return tokens_.size(); }
  std::size_t most_rows() const { return most_; }
  /// Which of all the sequences' tokens row i is.
  std::size_t place(std::size_t i) const { return places_[i]; }
  const T* output() const { return x_.data(); }  // [rows, hidden] before the final norm

  void forward(Kept kept) {
    kept_ = kept;
    keys_.forget();
    const std::size_t d = weights_->config().hidden_size;
    x_.resize(std::max(x_.size(), rows() * d));
    for (std::size_t i = 0; i < rows(); ++i) embed(*weights_, axis_, tokens_[i], x_.data() + i * d);
    sum_over_axis(dense(x_.data(), rows(), d));
    const AdaptedRows<T> adapted[] = {{adapter_, rows()}};
    SerialExecutor alone;
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      if (kept_ == Kept::inputs) inputs_[l].assign(x_.data(), x_.data() + rows() * d);
      forward_layer(
          alone, *weights_, *rotary_, l, positions_, x_.data(), adapted, activations(l),
          [&](Matrix<const T> qkv, Matrix<T> mixed) { attend(l, qkv, mixed); }, axis_);
    }
  }

  /// Adds to `gradients` (laid out as what is trained: the parameters, or the adapter's); dx [rows,
  /// hidden] is the gradient of `output()`; both are destroyed. Calls `layer_done(l)` after each
  /// layer, from the last to the first; afterwards the embedding is added to.
  template <class LayerDone>
  void backward(T* dx, T* gradients, const LayerDone& layer_done) {
    const std::size_t d = weights_->config().hidden_size;
    for (std::size_t l = layers_.size(); l-- > 0;) {
      if (kept_ == Kept::inputs && l + 1 < layers_.size()) forward_again(l);
      backward_feed_forward(l, dx, gradients);
      backward_attention(l, dx, gradients);
      layer_done(l);
    }
    if (adapter_ != nullptr) return;
    for (std::size_t i = 0; i < rows(); ++i) {
      auto row = static_cast<std::size_t>(tokens_[i]);
      if constexpr (Axis::kSplit) {
        row -= axis_.tokens().begin;  // wraps below it
        if (row >= axis_.tokens().size()) continue;
      }
      T* to = gradients + weights_->embedding() + row * d;
      for (std::size_t j = 0; j < d; ++j) to[j] += dx[i * d + j];
    }
  }

 private:
  /// Calls visit(sequence, row, place) for every sequence, from what is at hand of all: its rows
  /// begin at `row`, its keys and values at `place`.
  template <class Visitor>
  void for_each_sequence(Matrix<const T> qkv, Matrix<const T> keys_and_values,
                         Visitor&& visit) const {
    std::size_t row = 0, place = 0;
    for (const std::size_t length : lengths_) {
      const auto pieces = axis_.pieces(length);
      std::size_t rows = 0;
      for (const Shard& piece : pieces) rows += piece.size();
      visit(SequenceRows<T>{pieces, qkv.rows_at(row, rows), keys_and_values.rows_at(place, length)},
            row, place);
      row += rows;
      place += length;
    }
  }

  /// Of all tokens of the sequences.
  Matrix<const T> keys_and_values([[maybe_unused]] std::size_t index, Matrix<const T> qkv) {
    if constexpr (Axis::kDividesRows)
      return keys_.gather(axis_, heads_, index, places_, all_, qkv);
    else
      return heads_.keys_and_values(qkv);
  }

  /// Of layer l; the layers share one where not all are kept.
  LayerActivations<T>& activations(std::size_t l) {
    return kept_ == Kept::all ? layers_[l] : layers_.front();
  }

  /// Computes the activations of layer l from its input.
  void forward_again(std::size_t l) {
    std::copy(inputs_[l].begin(), inputs_[l].end(), x_.data());
    const AdaptedRows<T> adapted[] = {{adapter_, rows()}};
    SerialExecutor alone;
    forward_activations(
        alone, *weights_, *rotary_, l, positions_, x_.data(), adapted, activations(l),
        [&](Matrix<const T> qkv, Matrix<T> mixed) { attend(l, qkv, mixed); }, axis_);
    if (adapter_ == nullptr || adapter_->product(l, Product::down).empty()) return;
    adapter_->product(l, Product::down)
        .reduce(adapter_->parameters().data(),
                rows_of(activations(l).act, weights_->config().intermediate_size),
                activations(l).reduced[static_cast<std::size_t>(Product::down)]);
  }

  /// Of a split model: the sum of what the ranks have computed, on all of them.
  void sum_over_axis([[maybe_unused]] Matrix<T> rows) const {
    if constexpr (Axis::kSplit) axis_.sum(rows);
  }

  void attend(std::size_t index, Matrix<const T> qkv, Matrix<T> mixed) {
    for_each_sequence(qkv, keys_and_values(index, qkv),
                      [&](const SequenceRows<T>& sequence, std::size_t row, std::size_t) {
                        attend_rows<T>(heads_, sequence, attention_,
                                       mixed.rows_at(row, sequence.qkv.rows));
                      });
  }
  /// Adds to d_qkv, from the gradient of what `attend` gives.
  void attend_backward(std::size_t index, Matrix<const T> qkv, Matrix<const T> d_mixed,
                       Matrix<T> d_qkv) {
    Matrix<T> d_all;  // of all keys and values
    if constexpr (Axis::kDividesRows)
      d_all = keys_.gradients(heads_, all_);
    else
      d_all = heads_.keys_and_values(d_qkv);
    for_each_sequence(qkv, keys_and_values(index, qkv),
                      [&](const SequenceRows<T>& sequence, std::size_t row, std::size_t place) {
                        const std::size_t rows = sequence.qkv.rows;
                        attend_rows_backward<T>(
                            heads_, sequence, d_mixed.rows_at(row, rows), attention_,
                            d_qkv.rows_at(row, rows),
                            d_all.rows_at(place, sequence.keys_and_values.rows));
                      });
    if constexpr (Axis::kDividesRows) keys_.return_gradients(axis_, heads_, places_, d_all, d_qkv);
  }

  void backward_norm(const T* x, const T* inverse, std::size_t weight, const T* dy, T* dx,
                     T* gradients) const {
    const std::size_t d = weights_->config().hidden_size;
    for (std::size_t i = 0; i < rows(); ++i)
      rms_norm_backward(d, x + i * d, weights_->at(weight), inverse[i], dy + i * d, dx + i * d,
                        gradient_at(of_weights(gradients), weight));
  }

  /// Gradients of the weights: none where they are frozen.
  T* of_weights(T* gradients) const { return adapter_ == nullptr ? gradients : nullptr; }

  /// dx = the gradient of x, the product's input.
  void backward_product(std::size_t index, Product product, Matrix<const T> x, Matrix<const T> dy,
                        T* gradients, Matrix<T> dx) {
    const Linear<T>& linear = linear_of(weights_->layer(index), product);
    if (adapter_ == nullptr) return linear.backward(weights_->at(0), x, dy, gradients, dx);
    linear.backward_input(weights_->at(0), dy, dx);
    const LowRankProduct<T>& change = adapter_->product(index, product);
    if (!change.empty())
      change.backward(std::as_const(*adapter_).parameters().data(), x,
                      activations(index).reduced[static_cast<std::size_t>(product)], dy, gradients,
                      dx, d_reduced_);
  }

  Matrix<T> scratch(AlignedVector<T>& buffer, std::size_t columns) const {
    grow(buffer, rows() * columns);
    return dense(buffer.data(), rows(), columns);
  }
  template <class U>
  Matrix<const T> rows_of(const U& buffer, std::size_t columns) const {
    return dense<const T>(buffer.data(), rows(), columns);
  }

  void backward_feed_forward(std::size_t index, T* dx, T* gradients) {
    const std::size_t d = weights_->config().hidden_size;
    const std::size_t f = weights_->config().intermediate_size;
    const LayerWeights<T>& layer = weights_->layer(index);
    const LayerActivations<T>& act = activations(index);
    const Matrix<T> d_act = scratch(d_inner_, f);
    const Matrix<T> d_gate_up = scratch(d_wide_, 2 * f);
    const Matrix<T> d_normed = scratch(d_normed_, d);
    backward_product(index, Product::down, rows_of(act.act, f), dense(dx, rows(), d), gradients,
                     d_act);
    for (std::size_t i = 0; i < rows(); ++i) {
      const T* const gate = act.gate_up.data() + i * 2 * f;
      swiglu_backward(f, gate, gate + f, d_act.row(i), d_gate_up.row(i), d_gate_up.row(i) + f);
    }
    backward_product(index, Product::gate_up, rows_of(act.normed_mid, d), d_gate_up, gradients,
                     d_normed);
    sum_over_axis(d_normed);
    backward_norm(act.x_mid.data(), act.inverse_mid.data(), layer.post_norm, d_normed.data, dx,
                  gradients);
  }

  void backward_attention(std::size_t index, T* dx, T* gradients) {
    const std::size_t d = weights_->config().hidden_size;
    const LayerWeights<T>& layer = weights_->layer(index);
    const LayerActivations<T>& act = activations(index);
    const Matrix<T> d_normed = scratch(d_normed_, d);
    if (heads_.heads > 0)
      backward_heads(index, dx, gradients, d_normed);
    else
      without_heads(layer, gradients, d_normed);
    sum_over_axis(d_normed);
    backward_norm(act.x_in.data(), act.inverse_in.data(), layer.input_norm, d_normed.data, dx,
                  gradients);
  }

  /// From the gradient of the layer's attention to that of its normed input.
  void backward_heads(std::size_t index, T* dx, T* gradients, Matrix<T> d_normed) {
    const std::size_t d = weights_->config().hidden_size;
    const LayerWeights<T>& layer = weights_->layer(index);
    const LayerActivations<T>& act = activations(index);
    const Matrix<T> d_mixed = scratch(d_inner_, weights_->heads_size());
    const Matrix<T> d_qkv = scratch(d_wide_, weights_->qkv_size());
    backward_product(index, Product::output, rows_of(act.mixed, d_mixed.columns),
                     dense(dx, rows(), d), gradients, d_mixed);
    std::fill_n(d_qkv.data, rows() * d_qkv.columns, T{0});
    attend_backward(index, rows_of(act.qkv, d_qkv.columns), d_mixed, d_qkv);
    const QueriesAndKeys<T> heads(*weights_, layer);
    heads.rotate_all(*rotary_, positions_, T{-1}, d_qkv);
    heads.norm_backward(axis_, act, d_qkv, d_head_, of_weights(gradients));
    backward_product(index, Product::qkv, rows_of(act.normed_in, d), d_qkv, gradients, d_normed);
  }

  /// The same on a rank of a split model that has no attention.
  void without_heads(const LayerWeights<T>& layer, T* gradients, Matrix<T> d_normed) {
    std::fill_n(d_normed.data, d_normed.rows * d_normed.columns, T{0});
    QueriesAndKeys<T>(*weights_, layer)
        .norm_backward(axis_, LayerActivations<T>{}, Matrix<T>{}, d_head_, of_weights(gradients));
  }

  const TransformerWeights<T>* weights_;
  const RotaryTable<T>* rotary_;
  const Adapter<T>* adapter_;
  Axis axis_;
  HeadLayout heads_;
  std::vector<std::size_t> lengths_;
  std::size_t all_ = 0, most_ = 0;      // tokens of all ranks, and at most of one
  std::vector<std::size_t> positions_;  // [rows]
  std::vector<std::size_t> places_;     // [rows] among the tokens of all ranks
  std::vector<Token> tokens_;           // [rows]
  Kept kept_ = Kept::all;
  AlignedVector<T> x_;
  std::vector<LayerActivations<T>> layers_;  // the first alone where not all are kept
  std::vector<AlignedVector<T>> inputs_;     // [layers] of [rows, hidden], where only they are kept
  AttentionScratch<T> attention_;
  ContextKeys<T> keys_;                                                // where rows are divided
  AlignedVector<T> d_wide_, d_inner_, d_normed_, d_head_, d_reduced_;  // scratch
};

}  // namespace dualagent::detail
