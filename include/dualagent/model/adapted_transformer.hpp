#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include "dualagent/core/error.hpp"
#include "dualagent/core/number_text.hpp"
#include "dualagent/core/thread_pool.hpp"
#include "dualagent/model/adapter.hpp"
#include "dualagent/model/backend.hpp"
#include "dualagent/model/low_rank.hpp"
#include "dualagent/model/transformer.hpp"
#include "dualagent/model/transformer_parts.hpp"

namespace dualagent {

/// A transformer with a low-rank adapter (LoRA): samples as the base with the adapter's changes,
/// and trains the adapter alone; the base stays as it is.
///
/// Parameters, tensors (PEFT's names), gradients, and so moments, updates and checkpoints are those
/// of the adapter. Several adapted models and their base share the weights and one decode batch:
/// whichever is advanced, the requests of all go on, and each gets those of its own that are
/// finished. Threads, the number of gradient parts and what is recomputed are the base's.
///
/// Determinism: as Transformer; the bits of a row depend on the base, its own adapter and the row
/// alone, whatever other models decode beside it.
/// Memory: a few percent of the base's parameters, and 1 + gradient_parts times as much for
/// gradients; activations as Transformer, logits of at most 64 tokens per part. The base keeps no
/// gradients unless it is trained.
///
/// The base may be moved or destroyed; it must not be trained while adapters of it are. Models of
/// one base are used by one thread at a time. Not copyable; movable while no generation runs.
/// Example: AdaptedTransformer answerer(base, {.rank = 8, .alpha = 16, .seed = 1});
template <class Scalar = float>
class AdaptedTransformer {
 public:
  /// Errors: as `LowRank::validate`; Error for a base with a critic.
  explicit AdaptedTransformer(Transformer<Scalar>& base, LowRank options = {})
      : AdaptedTransformer(base.core_, base.pool_, base.parts_.options(), std::move(options)) {}
  /// One readable sentence where the base is anything else.
  template <class Base>
  explicit AdaptedTransformer(Base&, LowRank = {}) : AdaptedTransformer(nullptr, nullptr, {}, {}) {
    static_assert(std::is_same_v<Base, Transformer<Scalar>>,
                  "dualagent: an AdaptedTransformer changes a Transformer of the same scalar; a "
                  "ParallelTransformer, whose weights are divided over ranks, takes no adapter; "
                  "see docs/models.md#adapters");
  }

  /// What the adapter changes.
  const LowRank& adapter() const { return adapter_->options(); }
  const TransformerConfig& base_config() const { return core_->weights.config(); }
  bool adapts(const Transformer<Scalar>& base) const { return base.core_ == core_; }

  std::size_t vocab_size() const { return base_config().vocab_size; }
  std::size_t max_context_tokens() const { return base_config().max_position_embeddings; }
  WeightVersion weight_version() const { return adapter_->version; }

  /// What a checkpoint of the adapter belongs to: its options but for the seed, the base, and a
  /// digest of the base's weights. A run is not resumed with another adapter or over another base.
  std::map<std::string, std::string> identity() const {
    std::vector<TensorRole> roles = adapter().targets;
    std::sort(roles.begin(), roles.end());  // their order changes nothing
    std::string targets;
    for (const TensorRole role : roles) (targets += targets.empty() ? "" : " ") += to_string(role);
    std::map<std::string, std::string> identity =
        identity_of(base_config(), core_->weights.precision());
    identity["rank"] = std::to_string(adapter().rank);
    identity["scale"] = shortest_text(adapter().scale());
    identity["targets"] = targets;
    identity["base"] = std::to_string(core_->digest());
    return identity;
  }

  /// Another adapter with the same parameters over the same base.
  AdaptedTransformer copy() const {
    AdaptedTransformer twin(core_, pool_, parts_.options(), adapter());
    std::copy(parameters().begin(), parameters().end(), twin.parameters().begin());
    twin.weights_changed();
    return twin;
  }

  /// A model of its own whose weights are the base's with the adapter's changes added, e.g. for
  /// `save_model`. What it computes agrees with this model's to rounding.
  Transformer<Scalar> merged() const {
    Transformer<Scalar> model(
        base_config(), detail::unwritten(pool_, parts_.options(), core_->weights.precision()));
    const std::span<const Scalar> weights = std::as_const(core_->weights).parameters();
    std::copy(weights.begin(), weights.end(), model.parameters().begin());
    adapter_->merge(core_->weights, model.parameters());
    model.weights_changed();
    return model;
  }

  // Sampling; see Sampler.

  void submit(const GenerationRequest& request) { core_->decoder.submit(request, adapter_.get()); }
  template <class OnFinished>
  std::size_t advance(OnFinished&& on_finished) {
    return core_->decoder.advance(*pool_, core_->version, std::forward<OnFinished>(on_finished),
                                  adapter_.get());
  }
  void release(SequenceId sequence) { core_->decoder.release(sequence, adapter_.get()); }
  void reset() { core_->decoder.reset(adapter_.get()); }

  // Training; see Learner.

  /// Reports gradients layer by layer.
  template <class Objective, class Ready = IgnoreReady>
  void backward(const BatchColumns& batch, const Objective& objective, const OutputColumns& outputs,
                const Ready& ready = {}) {
    parts_.backward(*pool_, batch, objective, outputs, ready);
  }
  void score(const BatchColumns& batch, const OutputColumns& outputs) {
    parts_.score(*pool_, batch, outputs);
  }

  std::span<Scalar> parameters() { return adapter_->parameters(); }
  std::span<const Scalar> parameters() const { return std::as_const(*adapter_).parameters(); }
  std::span<Scalar> gradients() { return parts_.gradients(); }
  std::span<const TensorInfo> tensors() const { return adapter_->tensors(); }
  void zero_gradients() { parts_.zero_gradients(*pool_); }
  void weights_changed() { weights_changed(adapter_->version + 1); }
  void weights_changed(WeightVersion version) {
    adapter_->version = version;
    adapter_->refresh();
    core_->decoder.forget_cached(adapter_.get());
  }

 private:
  using Core = detail::TransformerCore<Scalar>;
  using Adapter = detail::Adapter<Scalar>;

  /// The decoder knows the adapter by its address, so it must forget it first.
  struct LeaveDecoder {
    std::shared_ptr<Core> core;
    void operator()(Adapter* adapter) const {
      core->decoder.reset(adapter);
      delete adapter;
    }
  };

  AdaptedTransformer(std::shared_ptr<Core> core, std::shared_ptr<ThreadPool> pool,
                     const detail::PartOptions& parts, LowRank options)
      : core_(std::move(core)),
        pool_(std::move(pool)),
        adapter_(new Adapter(core_->weights, std::move(options)), LeaveDecoder{core_}),
        parts_(core_->weights, core_->rotary, parts, adapter_.get()) {
    if (base_config().value_head)
      throw Error("an adapter cannot be trained over a model with a critic", "AdaptedTransformer",
                  "Adapt the model without its value head");
  }

  std::shared_ptr<Core> core_;
  std::shared_ptr<ThreadPool> pool_;
  std::unique_ptr<Adapter, LeaveDecoder> adapter_;
  detail::BatchParts<Scalar> parts_;
};

}  // namespace dualagent
