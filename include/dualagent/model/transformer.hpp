#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/core/thread_pool.hpp"
#include "dualagent/kernels/mask.inl"
#include "dualagent/model/backend.hpp"
#include "dualagent/model/gradient_stages.hpp"
#include "dualagent/model/policy_head.hpp"
#include "dualagent/model/policy_loss.hpp"
#include "dualagent/model/token_gradient.hpp"
#include "dualagent/model/transformer_chunk.hpp"
#include "dualagent/model/transformer_config.hpp"
#include "dualagent/model/transformer_decode.hpp"
#include "dualagent/model/transformer_weights.hpp"

namespace dualagent {

/// How a transformer computes and begins.
struct TransformerOptions {
  /// Threads to work with; several models may share one pool.
  std::shared_ptr<ThreadPool> pool = {};
  /// A batch's rows are cut into this many shards, each with gradients of its own that are summed
  /// in order. More shards keep more threads busy and cost a copy of the gradients each. Results
  /// depend on this number, never on the threads.
  std::size_t gradient_shards = 2;
  /// Of the initial weights. Nothing: they are 0, and are going to be written.
  std::optional<std::uint64_t> seed = 0;
};

/// A Llama-family transformer on the CPU: samples and trains.
///
/// RMSNorm, rotary embeddings (half-split), grouped-query attention, SwiGLU; biases of queries,
/// keys and values, and norms of queries and keys, where the config says so. Scalar: float to work
/// with; double so that gradients can be checked.
///
/// Determinism: forward kernels are batch invariant. The log-probability of a token has the same
/// bits whether it is decoded step by step, prefilled, or computed in a packed training row, and
/// whatever else is in the batch; gradients depend on `gradient_shards`, not on threads.
/// Memory: parameters, their transposed copies; from the first training on, 1 + gradient_shards
/// gradients; activations of about 256 tokens (or of the longest row) per shard, linear in these
/// tokens; keys and values of the most tokens of unreleased sequences, in blocks of 64.
///
/// Not copyable; movable while no generation runs.
template <class Scalar = float>
class Transformer {
 public:
  explicit Transformer(const TransformerConfig& config, TransformerOptions options = {})
      : core_(std::make_unique<Core>(config)),
        pool_(options.pool ? std::move(options.pool) : std::make_shared<ThreadPool>(1)) {
    if (options.gradient_shards == 0)
      throw Error("gradient_shards must be at least 1", "TransformerOptions");
    if (options.seed) core_->weights.initialise(*options.seed);
    core_->weights.refresh();
    for (std::size_t s = 0; s < options.gradient_shards; ++s) shards_.emplace_back(*core_);
  }

  const TransformerConfig& config() const { return core_->weights.config(); }
  std::size_t vocab_size() const { return config().vocab_size; }
  std::size_t max_context_tokens() const { return config().max_position_embeddings; }
  WeightVersion weight_version() const { return version_; }
  bool has_value_head() const { return config().value_head; }

  /// A model with the same weights that shares the threads and nothing else.
  Transformer copy() const { return copy_as(config()); }

  /// A copy with a critic that says 0 everywhere; a model that has one keeps it.
  Transformer with_value_head() const {
    TransformerConfig critic = config();
    critic.value_head = true;
    return copy_as(critic);
  }

  // Sampling; see Sampler.
  void submit(const GenerationRequest& request) { core_->decoder.submit(request); }
  template <class OnFinished>
  std::size_t advance(OnFinished&& on_finished) {
    return core_->decoder.advance(*pool_, version_, std::forward<OnFinished>(on_finished));
  }
  void release(SequenceId sequence) { core_->decoder.release(sequence); }
  void reset() { core_->decoder.reset(); }
  /// How much was computed to sample, and how much of earlier work was used again.
  PositionCounts position_counts() const { return core_->decoder.position_counts(); }

  // Training; see Learner.

  /// Reports gradients layer by layer, as soon as every shard has gone through its last rows; the
  /// thread that was last adds up the layer's gradients of all shards.
  template <class Objective, class Ready = IgnoreReady>
  void backward(const BatchColumns& batch, const Objective& objective, const OutputColumns& outputs,
                const Ready& ready = {}) {
    static_assert(check_token_objective<Objective, double>());
    allocate_gradients();
    if constexpr (std::is_same_v<Ready, IgnoreReady>) {
      const auto later = [](std::size_t) {};
      run_shards(batch,
                 [&](Shard& shard) { shard.backward(*core_, batch, objective, outputs, later); });
      for_each_share([&](std::size_t begin, std::size_t end) { add_shards(begin, end); });
    } else {
      detail::GradientStages stages(core_->weights.stages(), shards_.size());
      run_shards(batch, [&](Shard& shard) {
        shard.backward(*core_, batch, objective, outputs, [&](std::size_t done) {
          stages.finish(static_cast<std::size_t>(&shard - shards_.data()), done,
                        [&](std::size_t begin, std::size_t end) {
                          for (std::size_t i = begin; i < end; i += kPart)
                            add_shards(i, std::min(i + kPart, end));
                          ready(begin, end);
                        });
        });
      });
    }
  }

  void score(const BatchColumns& batch, const OutputColumns& outputs) {
    run_shards(batch, [&](Shard& shard) { shard.score(*core_, batch, outputs); });
  }

  std::span<Scalar> parameters() { return core_->weights.parameters(); }
  std::span<const Scalar> parameters() const { return std::as_const(core_->weights).parameters(); }
  std::span<Scalar> gradients() {
    allocate_gradients();
    return gradients_;
  }
  std::span<const TensorInfo> tensors() const { return core_->weights.tensors(); }
  void zero_gradients() {
    allocate_gradients();
    for_each_share([&](std::size_t begin, std::size_t end) {
      std::fill(gradients_.data() + begin, gradients_.data() + end, Scalar{0});
    });
  }
  void weights_changed() { weights_changed(version_ + 1); }
  void weights_changed(WeightVersion version) {
    version_ = version;
    pool_->for_each(core_->weights.refresh_parts(),
                    [&](std::size_t part) { core_->weights.refresh(part); });
    core_->decoder.forget_cached();
  }

 private:
  Transformer copy_as(const TransformerConfig& shape) const {
    Transformer twin(shape,
                     {.pool = pool_, .gradient_shards = shards_.size(), .seed = std::nullopt});
    std::copy(parameters().begin(), parameters().end(), twin.parameters().begin());
    twin.weights_changed();
    return twin;
  }

  struct Core {
    explicit Core(const TransformerConfig& config)
        : weights(config), rotary(config), decoder(weights, rotary) {}
    TransformerWeights<Scalar> weights;
    detail::RotaryTable<Scalar> rotary;
    detail::Decoder<Scalar> decoder;
  };

  static constexpr std::size_t kChunkTokens = 256;

  /// A fixed share of a batch's rows, worked on by one thread.
  struct Shard {
    explicit Shard(const Core& core) : chunk(core.weights, core.rotary) {}

    /// Calls `done(n)` when its first n of the weights' stages are finished for good.
    template <class Objective, class Done>
    void backward(const Core& core, const BatchColumns& batch, const Objective& objective,
                  const OutputColumns& outputs, const Done& done) {
      const std::size_t layers = core.weights.config().num_hidden_layers;
      gradients.assign(core.weights.parameters().size(), Scalar{0});
      for_each_chunk(batch, [&](std::size_t begin, std::size_t end) {
        if (!head_forward(core, batch, begin, end)) return;
        differentiate(core, batch, objective, outputs);
        head_backward(core);
        const bool last = end == batch.row_begin[end_row];
        if (last) done(1);
        chunk.backward(dx.data(), gradients.data(), [&](std::size_t layer) {
          if (last) done(1 + layers - layer);
        });
      });
      done(layers + 2);
    }

    void score(const Core& core, const BatchColumns& batch, const OutputColumns& outputs) {
      for_each_chunk(batch, [&](std::size_t begin, std::size_t end) {
        if (!head_forward(core, batch, begin, end)) return;
        for (std::size_t s = 0; s < trained.size(); ++s) {
          const cpu::LogitsRow<Scalar> row = detail::log_softmax(head.logits(), rows(), s);
          outputs.write(trained[s],
                        with_value(core, s, detail::prediction(head.logits(), rows(), s, row)));
        }
      });
    }

    template <class Visitor>
    void for_each_chunk(const BatchColumns& batch, Visitor&& visit) {
      for (std::size_t row = first_row; row < end_row;) {
        const std::size_t begin = row;
        std::size_t tokens = 0;
        chunk.clear();
        do {
          tokens += batch.row_size(row);
          chunk.add({batch.token + batch.row_begin[row], batch.row_size(row)});
          ++row;
        } while (row < end_row && tokens + batch.row_size(row) <= kChunkTokens);
        visit(batch.row_begin[begin], batch.row_begin[row]);
      }
    }

    /// Forward through the layers and, for trained tokens only, through the head.
    bool head_forward(const Core& core, const BatchColumns& batch, std::size_t begin,
                      std::size_t end) {
      first_token = begin;
      trained.clear();
      for (std::size_t t = begin; t < end; ++t)
        if (kernels::is_trained(batch.loss_weight[t])) trained.push_back(t);
      if (trained.empty()) return false;
      chunk.forward();
      const TransformerWeights<Scalar>& weights = core.weights;
      const std::size_t d = weights.config().hidden_size;
      grow(normed, trained.size() * d);
      grow(inverse, trained.size());
      grow(d_value, trained.size());
      for (std::size_t s = 0; s < trained.size(); ++s)
        inverse[s] = detail::rms_norm(
            d, chunk.output() + (trained[s] - 1 - begin) * d, weights.at(weights.final_norm()),
            static_cast<Scalar>(weights.config().rms_norm_eps), normed.data() + s * d);
      gather_rows(batch);
      head.forward(alone, dense(normed.data(), trained.size(), d), head_weights(weights));
      return true;
    }

    static detail::HeadWeights<Scalar> head_weights(const TransformerWeights<Scalar>& weights) {
      const Linear<Scalar>& head = weights.head();
      return {dense(weights.at(head.weight()), head.out(), head.in()), head.transposed()};
    }

    /// What the trained tokens' rows of logits are about.
    void gather_rows(const BatchColumns& batch) {
      target.clear(), loss_weight.clear(), temperature.clear();
      for (const std::size_t t : trained) {
        target.push_back(batch.token[t]);
        loss_weight.push_back(batch.loss_weight[t]);
        temperature.push_back(batch.temperature_of(t));
      }
    }
    PolicyRows rows() const { return {target, loss_weight, temperature}; }

    /// Adds the critic's value to a prediction of trained token s.
    TokenPrediction with_value(const Core& core, std::size_t s, TokenPrediction now) const {
      now.value = value(core.weights, s);
      return now;
    }

    double value(const TransformerWeights<Scalar>& weights, std::size_t s) const {
      if (!weights.config().value_head) return 0.0;
      const std::size_t d = weights.config().hidden_size;
      const Scalar* const value_head = weights.at(weights.value_head());
      double sum = 0;
      for (std::size_t i = 0; i < d; ++i)
        sum += static_cast<double>(normed[s * d + i]) * static_cast<double>(value_head[i]);
      return sum;
    }

    /// Turns the logits into their gradients.
    template <class Objective>
    void differentiate(const Core& core, const BatchColumns& batch, const Objective& objective,
                       const OutputColumns& outputs) {
      const auto loss = [&](std::size_t s, const TokenPrediction& now) {
        const std::size_t t = trained[s];
        const TokenLossGradient gradient =
            token_gradient(batch, objective, t, with_value(core, s, now), outputs);
        d_value[s] =
            static_cast<Scalar>(batch.loss_weight[t]) * static_cast<Scalar>(gradient.d_value);
        return gradient;
      };
      detail::differentiate_logits(alone, head.logits(), rows(), {trained, "token"}, loss);
    }

    /// From gradients of the logits to gradients of head, final norm and hidden states.
    void head_backward(const Core& core) {
      const TransformerWeights<Scalar>& weights = core.weights;
      const std::size_t d = weights.config().hidden_size;
      const std::size_t count = trained.size();
      grow(d_normed, count * d);
      grow(dx, chunk.rows() * d);
      head.backward(
          alone, dense(normed.data(), count, d), head_weights(weights),
          dense(gradients.data() + weights.head().weight(), weights.config().vocab_size, d),
          dense(d_normed.data(), count, d));
      value_backward(weights);
      std::fill_n(dx.data(), chunk.rows() * d, Scalar{0});
      for (std::size_t s = 0; s < count; ++s) {
        const std::size_t row = trained[s] - 1 - first_token;
        detail::rms_norm_backward(d, chunk.output() + row * d, weights.at(weights.final_norm()),
                                  inverse[s], d_normed.data() + s * d, dx.data() + row * d,
                                  gradients.data() + weights.final_norm());
      }
    }

    /// Adds the critic's part to the gradients of the value head and of the hidden states.
    void value_backward(const TransformerWeights<Scalar>& weights) {
      if (!weights.config().value_head) return;
      const std::size_t d = weights.config().hidden_size;
      const Scalar* const value_head = weights.at(weights.value_head());
      Scalar* const d_head = gradients.data() + weights.value_head();
      for (std::size_t s = 0; s < trained.size(); ++s)
        for (std::size_t i = 0; i < d; ++i) {
          d_head[i] += d_value[s] * normed[s * d + i];
          d_normed[s * d + i] += d_value[s] * value_head[i];
        }
    }

    detail::Chunk<Scalar> chunk;
    AlignedVector<Scalar> gradients;  // [parameters] from the first `backward` on
    std::size_t first_row = 0, end_row = 0;
    std::size_t first_token = 0;       // of the chunk, in the batch
    std::vector<std::size_t> trained;  // [S] tokens of the chunk, as indices into the batch
    std::vector<Token> target;         // [S] and of their rows of logits
    std::vector<float> loss_weight, temperature;
    detail::SerialExecutor alone;
    detail::HeadChunk<Scalar> head;
    AlignedVector<Scalar> normed, inverse, d_normed, d_value, dx;
  };

  void allocate_gradients() {
    if (gradients_.empty()) gradients_.assign(parameters().size(), Scalar{0});
  }

  /// Adds the shards' gradients [begin, end), in the order of the shards, whoever adds.
  void add_shards(std::size_t begin, std::size_t end) {
    for (const Shard& shard : shards_)
      for (std::size_t i = begin; i < end; ++i) gradients_[i] += shard.gradients[i];
  }

  static constexpr std::size_t kPart = 2048;  // numbers; small enough for the first-level cache

  /// Calls body(begin, end) for parts of the parameters that together cover all, each worker its
  /// own share of them.
  template <class Body>
  void for_each_share(Body&& body) {
    pool_->run([&](std::size_t worker) {
      const std::size_t end = gradients_.size() * (worker + 1) / pool_->size();
      for (std::size_t i = gradients_.size() * worker / pool_->size(); i < end; i += kPart)
        body(i, std::min(i + kPart, end));
    });
  }

  /// Cuts the rows into shards of about equal tokens and runs them on the pool.
  template <class Body>
  void run_shards(const BatchColumns& batch, Body&& body) {
    check(batch);
    std::size_t row = 0;
    for (std::size_t s = 0; s < shards_.size(); ++s) {
      shards_[s].first_row = row;
      const std::size_t until = batch.size() * (s + 1) / shards_.size();
      while (row < batch.rows && (s + 1 == shards_.size() || batch.row_begin[row + 1] <= until))
        ++row;
      shards_[s].end_row = row;
    }
    pool_->for_each(shards_.size(), [&](std::size_t s) { body(shards_[s]); });
  }

  void check(const BatchColumns& batch) const {
    for (std::size_t r = 0; r < batch.rows; ++r) {
      const auto where = [&] {
        return "row " + std::to_string(r) + " of the batch, rollout " +
               std::to_string(batch.rollout[r]);
      };
      if (batch.row_size(r) > max_context_tokens())
        throw Error("a row of " + std::to_string(batch.row_size(r)) +
                        " tokens is longer than the model's " +
                        std::to_string(max_context_tokens()),
                    where(), "Summarize earlier, or raise max_position_embeddings");
      if (batch.loss_weight[batch.row_begin[r]] != 0.0F)
        throw Error("the first token of a row cannot be trained: nothing predicts it", where());
    }
    for (std::size_t t = 0; t < batch.size(); ++t)
      if (batch.token[t] < 0 || static_cast<std::size_t>(batch.token[t]) >= vocab_size())
        throw Error("token " + std::to_string(batch.token[t]) + " is not in the vocabulary of " +
                        std::to_string(vocab_size()),
                    "token " + std::to_string(t) + " of the batch");
  }

  std::unique_ptr<Core> core_;
  std::shared_ptr<ThreadPool> pool_;
  AlignedVector<Scalar> gradients_;  // [parameters] once they are asked for
  std::vector<Shard> shards_;
  WeightVersion version_ = 0;
};

}  // namespace dualagent
