#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/core/check.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/thread_pool.hpp"
#include "dualagent/kernels/mask.inl"
#include "dualagent/model/adapter.hpp"
#include "dualagent/model/backend.hpp"
#include "dualagent/model/gradient_stages.hpp"
#include "dualagent/model/head_block.hpp"
#include "dualagent/model/model_axis.hpp"
#include "dualagent/model/recompute.hpp"
#include "dualagent/model/request_check.hpp"
#include "dualagent/model/token_gradient.hpp"
#include "dualagent/model/transformer_chunk.hpp"
#include "dualagent/model/transformer_layers.hpp"
#include "dualagent/model/transformer_ops.hpp"
#include "dualagent/model/transformer_weights.hpp"

namespace dualagent {

namespace detail {

/// Into how many parts a batch is cut, and what of them is kept.
struct PartOptions {
  std::size_t count = 2;
  Recompute recompute = Recompute::large;
};

/// Size of what is trained: the adapter where there is one, else the weights.
template <class T>
std::size_t trained_size(const TransformerWeights<T>& weights, const Adapter<T>* adapter) {
  return adapter == nullptr ? weights.parameters().size() : adapter->parameters().size();
}

/// A fixed share of a batch's rows on its way through a transformer, worked on by one thread.
template <class T, class Axis = WholeModel>
class BatchPart {
 public:
  BatchPart(const TransformerWeights<T>& weights, const RotaryTable<T>& rotary,
            const Adapter<T>* adapter, Recompute recompute, const Axis& axis)
      : weights_(&weights),
        adapter_(adapter),
        recompute_(recompute),
        axis_(axis),
        chunk_(weights, rotary, adapter, axis),
        block_(axis) {}

  /// The rows of the batch that are this part's: [first, end).
  void take_rows(std::size_t first, std::size_t end) { first_row_ = first, end_row_ = end; }
  /// Of what is trained, from the rows of the last `backward`.
  const AlignedVector<T>& gradients() const { return gradients_; }
  AlignedVector<T>& gradients() { return gradients_; }

  /// Calls `done(n)` when its first n of the weights' stages are finished for good.
  template <class Objective, class Done>
  void backward(const BatchColumns& batch, const Objective& objective, const OutputColumns& outputs,
                const Done& done) {
    const std::size_t layers = weights_->config().num_hidden_layers;
    gradients_.assign(trained_size(*weights_, adapter_), T{0});
    for_each_chunk(batch, [&](std::size_t begin, std::size_t end) {
      if (!layers_forward(batch, begin, end, kept())) return;
      begin_backward();
      axis_.on_all_parts([&] {  // an objective may throw
        for_each_head_block(batch, [&](std::size_t first, std::size_t count) {
          differentiate(batch, objective, outputs, first);
          head_backward(first, count);
        });
      });
      norm_backward();
      const bool last = end == batch.row_begin[end_row_];
      if (last) done(1);
      chunk_.backward(dx_.data(), gradients_.data(), [&](std::size_t layer) {
        if (last) done(1 + layers - layer);
      });
    });
    done(layers + 2);
  }

  void score(const BatchColumns& batch, const OutputColumns& outputs) {
    for_each_chunk(batch, [&](std::size_t begin, std::size_t end) {
      if (!layers_forward(batch, begin, end, Kept::nothing)) return;
      for_each_head_block(batch, [&](std::size_t first, std::size_t count) {
        for (std::size_t r = 0; r < count; ++r)
          outputs.write(trained_[first + r], with_value(first + r, block_.prediction(r)));
      });
    });
  }

 private:
  static constexpr std::size_t kChunkTokens = 256;
  // Rows of logits that exist at a time. Where the head is trained its gradients are read and
  // written once for each block, and their bits depend on the blocks.
  static constexpr std::size_t kTrainedHeadRows = 512, kFrozenHeadRows = 64;

  template <class Visitor>
  void for_each_chunk(const BatchColumns& batch, Visitor&& visit) {
    for (std::size_t row = first_row_; row < end_row_;) {
      const std::size_t begin = row;
      std::size_t tokens = 0;
      chunk_.clear();
      do {
        tokens += batch.row_size(row);
        chunk_.add({batch.token + batch.row_begin[row], batch.row_size(row)});
        ++row;
      } while (row < end_row_ &&
               tokens + batch.row_size(row) <= kChunkTokens * axis_.context_ranks());
      visit(batch.row_begin[begin], batch.row_begin[row]);
    }
  }

  Kept kept() const {
    std::size_t row = LayerActivations<T>::row_bytes(weights_->config());
    if constexpr (Axis::kSplit)  // all ranks decide alike
      for (std::size_t rank = 0; rank < axis_.ranks(); ++rank)
        row = std::max(row, LayerActivations<T>::row_bytes(axis_.config_of(rank)));
    return kept_for(recompute_, chunk_.most_rows() * row * weights_->config().num_hidden_layers);
  }

  /// Forward through the layers and, for trained tokens only, the final norm; false if there are
  /// none.
  bool layers_forward(const BatchColumns& batch, std::size_t begin, std::size_t end, Kept kept) {
    if (std::none_of(batch.loss_weight + begin, batch.loss_weight + end,
                     [](float weight) { return kernels::is_trained(weight); }))
      return false;
    trained_.clear();
    from_.clear();
    for (std::size_t i = 0; i < chunk_.rows(); ++i) {
      const std::size_t t = begin + chunk_.place(i) + 1;  // or the first of the next row: no target
      if (t >= end || !kernels::is_trained(batch.loss_weight[t])) continue;
      trained_.push_back(t);
      from_.push_back(i);
    }
    chunk_.forward(kept);
    const TransformerWeights<T>& weights = *weights_;
    const std::size_t d = weights.config().hidden_size;
    grow(normed_, trained_.size() * d);
    grow(inverse_, trained_.size());
    for (std::size_t s = 0; s < trained_.size(); ++s)
      inverse_[s] = rms_norm(d, chunk_.output() + from_[s] * d, weights.at(weights.final_norm()),
                             static_cast<T>(weights.config().rms_norm_eps), normed_.data() + s * d);
    return true;
  }

  /// Calls visit(first, count) for blocks of the trained tokens, once `block_` has their logits.
  template <class Visitor>
  void for_each_head_block(const BatchColumns& batch, Visitor&& visit) {
    const std::size_t most = adapter_ == nullptr ? kTrainedHeadRows : kFrozenHeadRows;
    for (std::size_t first = 0; first < trained_.size(); first += most) {
      const std::size_t count = std::min(most, trained_.size() - first);
      block_.forward(batch, std::span(trained_).subspan(first, count), normed_rows(first, count),
                     weights_->head(), weights_->at(0));
      visit(first, count);
    }
  }
  Matrix<T> normed_rows(std::size_t first, std::size_t count) {
    const std::size_t d = weights_->config().hidden_size;
    return dense(normed_.data() + first * d, count, d);
  }

  /// Adds the critic's value to a prediction of trained token s.
  TokenPrediction with_value(std::size_t s, TokenPrediction now) const {
    now.value = value(*weights_, s);
    return now;
  }

  double value(const TransformerWeights<T>& weights, std::size_t s) const {
    if (!weights.config().value_head) return 0.0;
    const std::size_t d = weights.config().hidden_size;
    const T* const value_head = weights.at(weights.value_head());
    double sum = 0;
    for (std::size_t i = 0; i < d; ++i)
      sum += static_cast<double>(normed_[s * d + i]) * static_cast<double>(value_head[i]);
    return sum;
  }

  /// Turns the logits of the block that begins at `first` into their gradients.
  template <class Objective>
  void differentiate(const BatchColumns& batch, const Objective& objective,
                     const OutputColumns& outputs, std::size_t first) {
    const auto loss = [&](std::size_t r, const TokenPrediction& now) {
      const std::size_t s = first + r, t = trained_[s];
      const TokenLossGradient gradient =
          token_gradient(batch, objective, t, with_value(s, now), outputs);
      d_value_[s] = static_cast<T>(batch.loss_weight[t]) * static_cast<T>(gradient.d_value);
      return gradient;
    };
    block_.differentiate({std::span(trained_).subspan(first), "token"}, loss);
  }

  void begin_backward() {
    const std::size_t d = weights_->config().hidden_size;
    grow(d_value_, trained_.size());
    grow(d_normed_, trained_.size() * d);
    grow(dx_, chunk_.rows() * d);
  }

  /// From gradients of a block's logits to gradients of the head and of what is multiplied with it.
  void head_backward(std::size_t first, std::size_t count) {
    const std::size_t d = weights_->config().hidden_size;
    block_.backward(normed_rows(first, count), weights_->head(), weights_->at(0),
                    dense(gradient_at(of_weights(), weights_->head().weight()),
                          weights_->config().vocab_size, d),
                    dense(d_normed_.data() + first * d, count, d));
  }

  /// From there to gradients of value head, final norm and hidden states.
  void norm_backward() {
    const TransformerWeights<T>& weights = *weights_;
    const std::size_t d = weights.config().hidden_size;
    if constexpr (Axis::kSplit) axis_.sum(dense(d_normed_.data(), trained_.size(), d));
    value_backward(weights);
    std::fill_n(dx_.data(), chunk_.rows() * d, T{0});
    for (std::size_t s = 0; s < trained_.size(); ++s) {
      const std::size_t row = from_[s];
      rms_norm_backward(d, chunk_.output() + row * d, weights.at(weights.final_norm()), inverse_[s],
                        d_normed_.data() + s * d, dx_.data() + row * d,
                        gradient_at(of_weights(), weights.final_norm()));
    }
  }

  /// Gradients of the weights: none where an adapter is trained.
  T* of_weights() { return adapter_ == nullptr ? gradients_.data() : nullptr; }

  /// Adds the critic's part to the gradients of the value head and of the hidden states.
  void value_backward(const TransformerWeights<T>& weights) {
    if (!weights.config().value_head) return;
    const std::size_t d = weights.config().hidden_size;
    const T* const value_head = weights.at(weights.value_head());
    T* const d_head = gradients_.data() + weights.value_head();
    for (std::size_t s = 0; s < trained_.size(); ++s)
      for (std::size_t i = 0; i < d; ++i) {
        d_head[i] += d_value_[s] * normed_[s * d + i];
        d_normed_[s * d + i] += d_value_[s] * value_head[i];
      }
  }

  const TransformerWeights<T>* weights_;
  const Adapter<T>* adapter_;
  Recompute recompute_;
  Axis axis_;
  Chunk<T, Axis> chunk_;
  AlignedVector<T> gradients_;  // from the first `backward` on
  std::size_t first_row_ = 0, end_row_ = 0;
  std::vector<std::size_t> trained_;  // [S] targets of the chunk's rows, as indices into the batch
  std::vector<std::size_t> from_;     // [S] the rows that predict them
  HeadBlock<T, Axis> block_;
  AlignedVector<T> normed_, inverse_, d_normed_, d_value_, dx_;
};

/// All parts of a batch: a transformer forward and backward over rows that are cut into parts,
/// whose gradients are summed in their order. Trained is the adapter where there is one, else the
/// weights. Bits depend on the number of parts, never on threads. With a ModelAxis the parts take
/// turns on one thread, because all of them sum over it; with one that divides rows, gradients are
/// those of all its ranks' tokens, and so are outputs.
template <class T, class Axis = WholeModel>
class BatchParts {
 public:
  BatchParts(const TransformerWeights<T>& weights, const RotaryTable<T>& rotary,
             PartOptions options, const Adapter<T>* adapter = nullptr, Axis axis = Axis())
      : weights_(&weights), adapter_(adapter), options_(options), axis_(std::move(axis)) {
    require_option(options.count, kCount, "gradient_parts", "TransformerOptions");
    for (std::size_t s = 0; s < options.count; ++s)
      parts_.emplace_back(weights, rotary, adapter, options.recompute, axis_);
  }

  const PartOptions& options() const { return options_; }

  /// See Learner. Reports gradients layer by layer, as soon as every part has gone through its
  /// last rows; the thread that was last adds up the layer's gradients of all parts.
  template <class Objective, class Ready>
  void backward(ThreadPool& pool, const BatchColumns& batch, const Objective& objective,
                const OutputColumns& outputs, const Ready& ready) {
    static_assert(check_token_objective<Objective, double>());
    allocate_gradients();
    if constexpr (std::is_same_v<Ready, IgnoreReady>) {
      const auto later = [](std::size_t) {};
      run(pool, batch,
          [&](BatchPart<T, Axis>& part) { part.backward(batch, objective, outputs, later); });
      if constexpr (Axis::kDividesRows)
        add_stage(0, gradients_.size());
      else
        for_each_part(pool, [&](std::size_t begin, std::size_t end) { add_parts(begin, end); });
    } else {
      GradientStages stages(adapter_ == nullptr ? weights_->stages() : adapter_->stages(),
                            parts_.size());
      run(pool, batch, [&](BatchPart<T, Axis>& part) {
        part.backward(batch, objective, outputs, [&](std::size_t done) {
          stages.finish(static_cast<std::size_t>(&part - parts_.data()), done,
                        [&](std::size_t begin, std::size_t end) {
                          add_stage(begin, end);
                          ready(begin, end);
                        });
        });
      });
    }
    axis_.share(batch, outputs);
  }

  void score(ThreadPool& pool, const BatchColumns& batch, const OutputColumns& outputs) {
    run(pool, batch, [&](BatchPart<T, Axis>& part) { part.score(batch, outputs); });
    axis_.share(batch, {outputs.log_prob, outputs.entropy, outputs.value, nullptr, nullptr});
  }

  std::span<T> gradients() {
    allocate_gradients();
    return gradients_;
  }
  void zero_gradients(ThreadPool& pool) {
    allocate_gradients();
    for_each_part(pool, [&](std::size_t begin, std::size_t end) {
      std::fill(gradients_.data() + begin, gradients_.data() + end, T{0});
    });
  }

 private:
  void allocate_gradients() {
    if (gradients_.empty()) gradients_.assign(trained_size(*weights_, adapter_), T{0});
  }

  /// Adds the parts' gradients [begin, end), in the order of the parts, whoever adds.
  void add_parts(std::size_t begin, std::size_t end) {
    for (const BatchPart<T, Axis>& part : parts_)
      for (std::size_t i = begin; i < end; ++i) gradients_[i] += part.gradients()[i];
  }

  /// The same for a stage of the way back, by the thread that has finished it; where rows are
  /// divided, with the gradients of all ranks.
  void add_stage(std::size_t begin, std::size_t end) {
    if constexpr (Axis::kDividesRows) {
      T* const sum = parts_[0].gradients().data();
      for (std::size_t s = 1; s < parts_.size(); ++s)
        for (std::size_t i = begin; i < end; ++i) sum[i] += parts_[s].gradients()[i];
      axis_.sum_over_context(std::span<T>(sum + begin, end - begin));
      for (std::size_t i = begin; i < end; ++i) gradients_[i] += sum[i];
    } else {
      for_each_part(begin, end,
                    [&](std::size_t first, std::size_t last) { add_parts(first, last); });
    }
  }

  static constexpr std::size_t kPart = 2048;  // numbers; small enough for the first-level cache

  /// Calls body(begin, end) for parts of [begin, end).
  template <class Body>
  static void for_each_part(std::size_t begin, std::size_t end, Body&& body) {
    for (std::size_t i = begin; i < end; i += kPart) body(i, std::min(i + kPart, end));
  }
  /// The same for parts of all parameters, shared among the pool's workers.
  template <class Body>
  void for_each_part(ThreadPool& pool, Body&& body) {
    for_each_share(pool, gradients_.size(), kPart, [&](std::size_t first, std::size_t count) {
      for_each_part(first, first + count, body);
    });
  }

  /// Cuts the rows into parts of about equal tokens and runs them on the pool.
  template <class Body>
  void run([[maybe_unused]] ThreadPool& pool, const BatchColumns& batch, Body&& body) {
    axis_.require_same(batch);
    check_batch(batch, whole_config(axis_, weights_->config()));
    std::size_t row = 0;
    for (std::size_t s = 0; s < parts_.size(); ++s) {
      const std::size_t first = row;
      const std::size_t until = batch.size() * (s + 1) / parts_.size();
      while (row < batch.rows && (s + 1 == parts_.size() || batch.row_begin[row + 1] <= until))
        ++row;
      parts_[s].take_rows(first, row);
    }
    if constexpr (Axis::kSplit || Axis::kDividesRows)
      for (BatchPart<T, Axis>& part : parts_) body(part);
    else
      pool.for_each(parts_.size(), [&](std::size_t s) { body(parts_[s]); });
  }

  const TransformerWeights<T>* weights_;
  const Adapter<T>* adapter_;
  PartOptions options_;
  Axis axis_;
  AlignedVector<T> gradients_;  // of what is trained, once they are asked for
  std::vector<BatchPart<T, Axis>> parts_;
};

}  // namespace detail

}  // namespace dualagent
