#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/collective/collective.hpp"
#include "dualagent/collective/mesh.hpp"
#include "dualagent/collective/on_first_rank.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/number_text.hpp"
#include "dualagent/core/thread_pool.hpp"
#include "dualagent/io/archive.hpp"
#include "dualagent/model/backend.hpp"
#include "dualagent/model/context_axis.hpp"
#include "dualagent/model/llama.hpp"
#include "dualagent/model/model_axis.hpp"
#include "dualagent/model/model_identity.hpp"
#include "dualagent/model/model_slice.hpp"
#include "dualagent/model/sampler_calls.hpp"
#include "dualagent/model/transformer.hpp"

namespace dualagent {

namespace detail {

/// What the ranks of a split model must agree on.
template <class Scalar>
std::vector<std::pair<std::string, double>> shape_fields(const TransformerConfig& config,
                                                         const TransformerOptions& options) {
  std::vector<std::pair<std::string, double>> fields;
  const auto add = [&](const char* name, auto value) {
    fields.emplace_back(name, static_cast<double>(value));
  };
  config.for_each(add);
  const std::uint64_t seed = options.seed.value_or(0);
  add("gradient_parts", options.gradient_parts);
  add("recompute", options.recompute);
  add("precision", options.precision);
  add("bytes of a parameter", sizeof(Scalar));
  add("a seed (1) or none (0)", options.seed.has_value());
  add("seed / 2^32", seed >> 32U);
  add("seed % 2^32", seed & 0xFFFFFFFFU);
  return fields;
}

/// Errors: Error on every rank unless all bring the same numbers.
template <class C>
void require_same_shape(C& axis, const std::vector<std::pair<std::string, double>>& fields) {
  const std::size_t count = fields.size();
  std::vector<double> all(axis.size() * count, 0.0);  // [ranks, fields]
  for (std::size_t i = 0; i < count; ++i) all[axis.rank() * count + i] = fields[i].second;
  axis.all_reduce_sum(std::span<double>(all));
  for (std::size_t i = count; i < all.size(); ++i) {
    if (all[i] == all[i % count]) continue;
    const std::string& name = fields[i % count].first;
    throw Error("the ranks of the model axis make models of different shapes or options: rank " +
                    std::to_string(i / count) + " has " + name + " " + shortest_text(all[i]) +
                    ", rank 0 has " + shortest_text(all[i % count]),
                "ParallelTransformer", "Give all of them the same config and TransformerOptions");
  }
}

/// What a rank of a model axis has of the model.
template <class C>
ModelSlice slice_of(const TransformerConfig& config, const C& axis) {
  return {config, axis.rank(), axis.size()};
}
template <class Context, class Tensor>
ModelSlice slice_of(const TransformerConfig& config, ContextParallel<Context, Tensor>& ranks) {
  return {config, ranks.tensor_axis().rank(), ranks.tensor_axis().size(),
          ranks.context_axis().rank(), ranks.context_axis().size()};
}

}  // namespace detail

/// A Transformer that the ranks of a model axis have together: samples and trains, in the place of
/// a Transformer, with 1/n of parameters, gradients, moments, keys and values on each of n ranks.
///
/// A property of every product decides what a rank has of it (`split_of`, ModelSlice): queries,
/// keys and values of its heads, gate and up of its neurons, rows of embedding and head of its
/// tokens, and the columns of the other two products that these are multiplied with. Activations
/// between the products, norms and the value head are whole on every rank. Two sums over the axis
/// for each layer forward and two back, of [rows, hidden_size]; a few for embedding and head.
/// Shares need not be equal: 3 key-value heads on 2 ranks are 1 and 2. A rank beyond the number of
/// key-value heads has no attention.
///
/// On a ContextParallel the ranks divide every training row (`context_pieces`): 1/n of a row's
/// activations on each of n ranks, and the whole model, or its parts on a tensor axis. Keys and
/// values are gathered layer by layer (ContextKeys); outputs and gradients of `backward` are those
/// of all tokens, on every rank. Every rank samples by itself; what rank 0 leads is repeated by the
/// ranks that have the other parts of its copy of the model.
///
/// All ranks make the same calls in the same order, as they do under one Trainer over
/// Mesh{data, model}; there rank 0 of the axis alone plays, and the others repeat its sampler's
/// calls (`lead`, `follow`). Rank 0 draws for all.
/// Determinism: as for Transformer: every rank samples and scores with the same bits, so that the
/// ratio of unchanged weights is 1. Another number of ranks rounds otherwise; where rows alone are
/// divided, gradients alone. Initial weights have the bits of one rank's. Threads share the
/// products while it samples; training uses one thread of each rank.
/// Errors: the constructor throws Error on every rank where shapes or options differ, the first
/// difference named, or where neurons or tokens are fewer than ranks. Adapters are not supported.
/// Example: Mesh mesh{data, model};
///          ParallelTransformer learner(config, mesh.model_axis(), {.seed = 7});
///          Trainer trainer{SharedWeights{learner}, protocol, reward, recipe, mesh, options};
template <class C, class Scalar = float>
class ParallelTransformer {
  static_assert(
      !is_mesh<C>,
      "dualagent: give a ParallelTransformer mesh.model_axis(), not the mesh, which is its "
      "data axis; see docs/collectives.md#two-axes");
  static_assert(check_collective<C>());

 public:
  ParallelTransformer(const TransformerConfig& config, C axis, TransformerOptions options = {})
      : core_(std::make_unique<Core>(config, std::move(axis), options)),
        pool_(options.pool ? std::move(options.pool) : std::make_shared<ThreadPool>(1)),
        parts_(core_->weights, core_->rotary,
               {.count = options.gradient_parts, .recompute = options.recompute}, nullptr,
               core_->axis) {
    if (options.seed) core_->weights.initialise(*options.seed, core_->slices);
    core_->weights.refresh();
  }

  /// Of the whole model.
  const TransformerConfig& config() const { return core_->slice.whole; }
  std::size_t vocab_size() const { return config().vocab_size; }
  std::size_t max_context_tokens() const { return config().max_position_embeddings; }
  WeightVersion weight_version() const { return core_->version; }
  Precision precision() const { return core_->weights.precision(); }
  bool has_value_head() const { return config().value_head; }
  /// As Transformer's: a checkpoint is of the whole model.
  std::map<std::string, std::string> identity() const { return identity_of(config(), precision()); }

  /// This rank's handle to the axis, and what it has of the model.
  C& model_axis() { return core_->collective; }
  const TensorSlices& slices() const { return core_->slices; }

  /// A model with the same weights that shares the axis and the threads. All ranks call it.
  ParallelTransformer copy() const {
    ParallelTransformer twin(config(), core_->collective,
                             detail::unwritten(pool_, parts_.options(), precision()));
    std::copy(parameters().begin(), parameters().end(), twin.parameters().begin());
    twin.weights_changed();
    return twin;
  }

  // Sampling; see Sampler.

  void submit(const GenerationRequest& request) {
    core_->decoder.submit(request);
    if (leads_) calls_.submit(request);
  }
  template <class OnFinished>
  std::size_t advance(OnFinished&& on_finished) {
    if (leads_) {
      calls_.advance();
      send_calls(*leads_);
    }
    return core_->decoder.advance(*pool_, core_->version, std::forward<OnFinished>(on_finished));
  }
  void release(SequenceId sequence) {
    core_->decoder.release(sequence);
    if (leads_) calls_.release(sequence);
  }
  void reset() {
    core_->decoder.reset();
    if (leads_) calls_.reset();
  }
  PositionCounts position_counts() const { return core_->decoder.position_counts(); }

  /// From here on rank 0 alone calls the sampler. The other ranks call `share_bytes` over the axis
  /// and give what follows the first eight bytes, which are `name`, to `follow`, until they are
  /// told otherwise.
  void lead(std::uint64_t name) {
    if constexpr (Axis::kSplit) leads_ = name;  // else rank 0 needs nobody
  }
  void stop_leading() {
    if (leads_) send_calls(*std::exchange(leads_, std::nullopt));
  }
  /// Repeats calls that rank 0 has made, on the ranks that have the other parts of its copy of the
  /// model.
  void follow(std::span<const std::byte> calls) {
    if (core_->slice.copy == 0) repeated_.repeat(calls, *this);
  }

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

  /// This rank's parts.
  std::span<Scalar> parameters() { return core_->weights.parameters(); }
  std::span<const Scalar> parameters() const { return std::as_const(core_->weights).parameters(); }
  std::span<Scalar> gradients() { return parts_.gradients(); }
  std::span<const TensorInfo> tensors() const { return core_->weights.tensors(); }
  void zero_gradients() { parts_.zero_gradients(*pool_); }
  void weights_changed() { weights_changed(core_->version + 1); }
  void weights_changed(WeightVersion version) {
    core_->version = version;
    pool_->for_each(core_->weights.refresh_parts(),
                    [&](std::size_t part) { core_->weights.refresh(part); });
    core_->decoder.forget_cached();
  }

 private:
  using Axis = detail::ModelAxis<C>;

  /// Stays in its place: the parts refer to one another.
  struct Core {
    Core(const TransformerConfig& config, C handle, const TransformerOptions& options)
        : collective(std::move(handle)),
          slice(detail::slice_of(config, collective)),
          weights((detail::require_same_shape(collective,
                                              detail::shape_fields<Scalar>(config, options)),
                   slice),
                  options.precision),
          slices(slice, tensors_of(config, llama(config)), weights.tensors()),
          rotary(config),
          axis(collective, slice),
          decoder(weights, rotary, axis) {}

    C collective;
    ModelSlice slice;
    TransformerWeights<Scalar> weights;  // this rank's
    TensorSlices slices;
    detail::RotaryTable<Scalar> rotary;
    Axis axis;
    detail::Decoder<Scalar, Axis> decoder;
    WeightVersion version = 0;
  };

  void send_calls(std::uint64_t name) {
    ArchiveWriter message;
    message.number(name);
    std::vector<std::byte> bytes = std::move(message).take();
    const std::vector<std::byte> calls = calls_.take();
    bytes.insert(bytes.end(), calls.begin(), calls.end());
    share_bytes(core_->collective, bytes);
  }

  std::unique_ptr<Core> core_;
  std::shared_ptr<ThreadPool> pool_;
  detail::BatchParts<Scalar, Axis> parts_;
  std::optional<std::uint64_t> leads_;  // the name of its calls
  SamplerCalls calls_;
  RepeatedCalls repeated_;
};

}  // namespace dualagent
