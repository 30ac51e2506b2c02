#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "dualagent/core/crc64.hpp"
#include "dualagent/core/thread_pool.hpp"
#include "dualagent/model/backend.hpp"
#include "dualagent/model/linear.hpp"
#include "dualagent/model/model_identity.hpp"
#include "dualagent/model/recompute.hpp"
#include "dualagent/model/transformer_config.hpp"
#include "dualagent/model/transformer_decode.hpp"
#include "dualagent/model/transformer_layers.hpp"
#include "dualagent/model/transformer_parts.hpp"
#include "dualagent/model/transformer_weights.hpp"

namespace dualagent {

/// How a transformer computes and begins.
struct TransformerOptions {
  /// Threads to work with; several models may share one pool.
  std::shared_ptr<ThreadPool> pool = {};
  /// A batch's rows are cut into this many parts, each with gradients of its own that are summed
  /// in order. More parts keep more threads busy and cost a copy of the gradients each. Results
  /// depend on this number, never on the threads.
  std::size_t gradient_parts = 2;
  /// What training keeps of its way forward; changes memory and time, never results.
  Recompute recompute = Recompute::large;
  /// Of the initial weights. Nothing: they are 0, and are going to be written.
  std::optional<std::uint64_t> seed = 0;
  /// Of products; bfloat16 for float alone. Sampling and training compute the same ones.
  Precision precision = Precision::of_parameters;
};

template <class Scalar>
class AdaptedTransformer;

namespace detail {

/// What a transformer and the adapted models that are made from it share.
template <class T>
struct TransformerCore {
  TransformerCore(const TransformerConfig& config, Precision precision)
      : weights(config, precision), rotary(config), decoder(weights, rotary) {}
  TransformerWeights<T> weights;
  RotaryTable<T> rotary;
  Decoder<T> decoder;
  WeightVersion version = 0;  // of the weights

  /// Says which weights these are. The first call after they were changed reads all of them.
  std::uint64_t digest() {
    if (!digest_) digest_ = crc64(std::as_bytes(std::as_const(weights).parameters()));
    return *digest_;
  }
  void changed(WeightVersion now) {
    version = now;
    digest_.reset();
  }

 private:
  std::optional<std::uint64_t> digest_;
};

/// Options of a model that is trained like another one and whose weights are going to be written.
inline TransformerOptions unwritten(std::shared_ptr<ThreadPool> pool, const PartOptions& like,
                                    Precision precision) {
  return {.pool = std::move(pool),
          .gradient_parts = like.count,
          .recompute = like.recompute,
          .seed = std::nullopt,
          .precision = precision};
}

}  // namespace detail

/// A Llama-family transformer on the CPU: samples and trains.
///
/// RMSNorm, rotary embeddings (half-split), grouped-query attention, SwiGLU; biases of queries,
/// keys and values, and norms of queries and keys, where the config says so. Scalar: float to work
/// with; double so that gradients can be checked.
///
/// Determinism: forward kernels are batch invariant. The log-probability of a token has the same
/// bits whether it is decoded step by step, prefilled, or computed in a packed training row, and
/// whatever else is in the batch; gradients depend on `gradient_parts`, not on threads.
/// Memory: parameters, twice if small (kKeptPanelBytes) and half of them more with bfloat16; from
/// the first training on, 1 + gradient_parts gradients; per part the activations of about 256
/// tokens (or of the longest row), or of one layer and the inputs of all (`recompute`), and logits
/// of at most 512 tokens; of decoding, activations of 64 tokens for each request that begins and
/// the logits of one token for each; keys and values of the most tokens of unreleased sequences, in
/// blocks of 64.
///
/// Not copyable; movable while no generation runs.
template <class Scalar = float>
class Transformer {
 public:
  explicit Transformer(const TransformerConfig& config, TransformerOptions options = {});

  const TransformerConfig& config() const { return core_->weights.config(); }
  std::size_t vocab_size() const { return config().vocab_size; }
  std::size_t max_context_tokens() const { return config().max_position_embeddings; }
  WeightVersion weight_version() const { return core_->version; }
  Precision precision() const { return core_->weights.precision(); }
  bool has_value_head() const { return config().value_head; }
  /// What a checkpoint's weights belong to: a run is not resumed with another model.
  std::map<std::string, std::string> identity() const { return identity_of(config(), precision()); }

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
    return core_->decoder.advance(*pool_, core_->version, std::forward<OnFinished>(on_finished));
  }
  void release(SequenceId sequence) { core_->decoder.release(sequence); }
  void reset() { core_->decoder.reset(); }
  /// How much was computed to sample, and how much of earlier work was used again, by the model
  /// and its adapters together.
  PositionCounts position_counts() const { return core_->decoder.position_counts(); }

  // Training; see Learner.

  /// Reports gradients layer by layer.
  template <class Objective, class Ready = IgnoreReady>
  void backward(const BatchColumns& batch, const Objective& objective, const OutputColumns& outputs,
                const Ready& ready = {}) {
    parts_.backward(*pool_, batch, objective, outputs, ready);
  }

  void score(const BatchColumns& batch, const OutputColumns& outputs);

  std::span<Scalar> parameters() { return core_->weights.parameters(); }
  std::span<const Scalar> parameters() const { return std::as_const(core_->weights).parameters(); }
  std::span<Scalar> gradients() { return parts_.gradients(); }
  std::span<const TensorInfo> tensors() const { return core_->weights.tensors(); }
  void zero_gradients() { parts_.zero_gradients(*pool_); }
  void weights_changed() { weights_changed(core_->version + 1); }
  void weights_changed(WeightVersion version);

 private:
  Transformer copy_as(const TransformerConfig& shape) const;

  friend class AdaptedTransformer<Scalar>;
  using Core = detail::TransformerCore<Scalar>;

  std::shared_ptr<Core> core_;
  std::shared_ptr<ThreadPool> pool_;
  detail::BatchParts<Scalar> parts_;
};

template <class Scalar>
auto Transformer<Scalar>::copy_as(const TransformerConfig& shape) const -> Transformer {
  Transformer twin(shape, detail::unwritten(pool_, parts_.options(), precision()));
  std::copy(parameters().begin(), parameters().end(), twin.parameters().begin());
  twin.weights_changed();
  return twin;
}

template <class Scalar>
void Transformer<Scalar>::score(const BatchColumns& batch, const OutputColumns& outputs) {
  parts_.score(*pool_, batch, outputs);
}

template <class Scalar>
Transformer<Scalar>::Transformer(const TransformerConfig& config, TransformerOptions options)
    : core_(std::make_shared<Core>(config, options.precision)),
      pool_(options.pool ? std::move(options.pool) : std::make_shared<ThreadPool>(1)),
      parts_(core_->weights, core_->rotary,
             {.count = options.gradient_parts, .recompute = options.recompute}) {
  if (options.seed) core_->weights.initialise(*options.seed);
  core_->weights.refresh();
}

template <class Scalar>
void Transformer<Scalar>::weights_changed(WeightVersion version) {
  core_->changed(version);
  pool_->for_each(core_->weights.refresh_parts(),
                  [&](std::size_t part) { core_->weights.refresh(part); });
  core_->decoder.forget_cached();
}

}  // namespace dualagent

#ifdef DUALAGENT_COMPILED
#include "dualagent/model/float_instances.inl"
#endif
