#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/random.hpp"
#include "dualagent/kernels/simd.inl"
#include "dualagent/model/architecture.hpp"
#include "dualagent/model/backend.hpp"
#include "dualagent/model/gradient_stages.hpp"
#include "dualagent/model/linear.hpp"
#include "dualagent/model/llama.hpp"
#include "dualagent/model/model_slice.hpp"
#include "dualagent/model/transformer_config.hpp"

namespace dualagent {

/// The parts of one block: places of norms in the flat parameters, as element offsets, and its
/// products. q, k and v are one product, and so are gate and up.
template <class T>
struct LayerWeights {
  std::size_t input_norm = 0, post_norm = 0;
  std::optional<std::size_t> query_norm, key_norm;  // both or none
  Linear<T> qkv, output, gate_up, down;
};

/// Copies of a model's weights in panels are kept while they take no more than this. The products
/// of so small a model come from the processor's cache, where turning weights into panels at every
/// token would cost a quarter of the time and more. The weights of a larger one come from memory:
/// turning them on the way costs next to nothing, a copy would cost the model's size once more.
inline constexpr std::size_t kKeptPanelBytes = std::size_t{32} << 20U;

/// The flat parameter buffer of a transformer, the names of its parts, and what is derived from it.
/// An Architecture says which parts there are.
template <class T>
class TransformerWeights {
 public:
  explicit TransformerWeights(const TransformerConfig& config,
                              Precision precision = Precision::of_parameters)
      : TransformerWeights(config, llama(config), kKeptPanelBytes, precision) {}
  /// Errors: Error for bfloat16 beside double; as `require_described`; Error that names what does
  /// not follow one another in the description.
  TransformerWeights(const TransformerConfig& config, const Architecture& architecture,
                     std::size_t kept_panel_bytes = kKeptPanelBytes,
                     Precision precision = Precision::of_parameters)
      : config_(config), kept_panel_bytes_(kept_panel_bytes), precision_(precision) {
    config.validate();
    lay_out(architecture);
  }
  /// Of one rank of a model axis: its part of everything. Errors: as `ModelSlice::validate`.
  explicit TransformerWeights(const ModelSlice& slice,
                              Precision precision = Precision::of_parameters)
      : config_((slice.validate(), slice.config())),  // which divides by the number of heads
        kept_panel_bytes_(kKeptPanelBytes),
        precision_(precision) {
    lay_out(llama(config_));
  }

  const TransformerConfig& config() const { return config_; }
  Precision precision() const { return precision_; }
  std::span<T> parameters() { return parameters_; }
  std::span<const T> parameters() const { return parameters_; }
  std::span<const TensorInfo> tensors() const { return tensors_; }

  std::size_t qkv_size() const {
    return (config_.num_attention_heads + 2 * config_.num_key_value_heads) * config_.head_dim;
  }
  std::size_t heads_size() const { return config_.num_attention_heads * config_.head_dim; }
  std::size_t vocab_padded() const { return kernels::padded<T>(config_.vocab_size); }

  const LayerWeights<T>& layer(std::size_t index) const { return layers_[index]; }
  /// See `stage_bounds`.
  std::vector<std::size_t> stages() const { return detail::stage_bounds(layer_offsets_, total_); }
  std::size_t embedding() const { return embedding_; }
  std::size_t final_norm() const { return final_norm_; }
  const Linear<T>& head() const { return head_; }
  /// Row of the value head; only where the config has one.
  std::size_t value_head() const { return value_head_; }
  const T* at(std::size_t offset) const { return parameters_.data() + offset; }

  /// Bytes of weights that a pass through all products reads.
  std::size_t product_bytes() const {
    std::size_t weights = head_.out() * head_.in();
    for (const LayerWeights<T>& layer : layers_)
      for (const Linear<T>* product : {&layer.qkv, &layer.output, &layer.gate_up, &layer.down})
        weights += product->out() * product->in();
    return weights * (precision_ == Precision::bfloat16 ? 2 : sizeof(T));
  }

  /// Whether copies of the products in panels are kept: always those in bfloat16.
  bool keeps_panels() const {
    return precision_ == Precision::bfloat16 || product_bytes() <= kept_panel_bytes_;
  }

  /// Makes the copies of all products anew from the parameters, if copies are kept.
  void refresh() {
    for (std::size_t part = 0; part < refresh_parts(); ++part) refresh(part);
  }
  /// Parts of `refresh` that may be done at the same time: the layers and the head.
  std::size_t refresh_parts() const { return layers_.size() + 1; }
  void refresh(std::size_t part) {
    if (!keeps_panels()) return;
    if (part == layers_.size()) return head_.refresh(at(0));
    LayerWeights<T>& layer = layers_[part];
    for (Linear<T>* product : {&layer.qkv, &layer.output, &layer.gate_up, &layer.down})
      product->refresh(at(0));
  }

  /// Normal numbers of the usual scales: embedding 0.1, projections in^-1/2, residual outputs
  /// in^-1/2 / sqrt(2 layers), head in^-1/2 / 2; norms 1; biases and value head 0.
  void initialise(std::uint64_t seed) {
    for (std::size_t i = 0; i < tensors_.size(); ++i)
      initialise(seed, i, tensors_[i], 0, tensors_[i].offset, tensors_[i].size);
  }
  /// The same numbers where this is one rank's part of them.
  void initialise(std::uint64_t seed, const TensorSlices& slices) {
    for (const TensorSlices::Run& run : slices.runs()) {
      const TensorInfo& whole = slices.tensors()[run.tensor];
      initialise(seed, run.tensor, whole, run.whole - whole.offset, run.mine, run.size);
    }
  }

 private:
  /// Indices of tensors by their roles, of one layer or of what is around the layers.
  using Places = std::map<TensorRole, std::size_t>;

  void lay_out(const Architecture& architecture);

  LayerWeights<T> layer_of(const Places& places) const {
    using enum TensorRole;
    LayerWeights<T> layer;
    layer.input_norm = offset_of(places, input_norm);
    layer.qkv = product(places, {query, key, value}, {query_bias, key_bias, value_bias});
    layer.query_norm = optional_offset(places, query_norm);
    layer.key_norm = optional_offset(places, key_norm);
    layer.output = product(places, {attention_output}, {});
    layer.post_norm = offset_of(places, post_attention_norm);
    layer.gate_up = product(places, {gate, up}, {});
    layer.down = product(places, {down}, {});
    return layer;
  }

  static void place(const std::vector<DescribedTensor>& described, std::size_t& next,
                    Places& places) {
    for (const DescribedTensor& tensor : described) places.emplace(tensor.role, next++);
  }

  const TensorInfo& tensor_of(const Places& places, TensorRole role) const {
    return tensors_[places.at(role)];
  }
  std::size_t offset_of(const Places& places, TensorRole role) const {
    return tensor_of(places, role).offset;
  }
  std::optional<std::size_t> optional_offset(const Places& places, TensorRole role) const {
    if (!places.contains(role)) return std::nullopt;
    return offset_of(places, role);
  }

  /// Tensors that follow one another as one; returns the sum of their first extents.
  std::size_t joined(const Places& places, std::initializer_list<TensorRole> roles) const {
    std::size_t rows = 0;
    std::size_t next = offset_of(places, *roles.begin());
    for (const TensorRole role : roles) {
      const TensorInfo& tensor = tensor_of(places, role);
      if (tensor.offset != next)
        throw Error(tensor.name + " does not follow what it is multiplied with", "Architecture");
      next += tensor.size;
      rows += tensor.shape[0];
    }
    return rows;
  }

  Linear<T> product(const Places& places, std::initializer_list<TensorRole> weights,
                    std::initializer_list<TensorRole> biases) const {
    const TensorInfo& first = tensor_of(places, *weights.begin());
    const std::size_t out = joined(places, weights);
    std::optional<std::size_t> bias;
    if (biases.size() > 0 && places.contains(*biases.begin())) {
      joined(places, biases);
      bias = offset_of(places, *biases.begin());
    }
    return {out, first.shape[1], first.offset, bias, precision_};
  }

  /// Elements of tensor number `index` from `first` on, to `count` parameters from `to` on.
  void initialise(std::uint64_t seed, std::size_t index, const TensorInfo& tensor,
                  std::size_t first, std::size_t to, std::size_t count) {
    const RandomStream stream = RandomStream::from_seed(seed).child(index);
    const double scale = initial_scale(tensor);
    for (std::size_t j = 0; j < count; ++j)
      parameters_[to + j] =
          static_cast<T>(is_norm(*tensor.role) ? 1.0 : scale * stream.normal(first + j));
  }

  static bool is_norm(TensorRole role) {
    using enum TensorRole;
    return role == input_norm || role == query_norm || role == key_norm ||
           role == post_attention_norm || role == final_norm;
  }

  double initial_scale(const TensorInfo& tensor) const {
    const double scale = 1.0 / std::sqrt(static_cast<double>(tensor.shape.back()));
    switch (*tensor.role) {
      case TensorRole::embedding:
        return 0.1;
      case TensorRole::query_bias:
      case TensorRole::key_bias:
      case TensorRole::value_bias:
      case TensorRole::value_head:
        return 0.0;
      case TensorRole::head:
        return 0.5 * scale;
      case TensorRole::attention_output:
      case TensorRole::down:
        return scale / std::sqrt(2.0 * static_cast<double>(config_.num_hidden_layers));
      default:
        return scale;
    }
  }

  TransformerConfig config_;
  std::size_t kept_panel_bytes_;
  Precision precision_;
  AlignedVector<T> parameters_;
  std::vector<TensorInfo> tensors_;
  std::size_t total_ = 0;
  std::size_t embedding_ = 0, final_norm_ = 0, value_head_ = 0;
  Linear<T> head_;
  std::vector<LayerWeights<T>> layers_;
  std::vector<std::size_t> layer_offsets_;  // [layers + 1]
};

template <class T>
void TransformerWeights<T>::lay_out(const Architecture& architecture) {
  if (precision_ == Precision::bfloat16 && !std::is_same_v<T, float>)
    throw Error("products in bfloat16 belong to a model in float", "Precision",
                "Use Transformer<float>, or Precision::of_parameters");
  require_described(config_, architecture);
  tensors_ = tensors_of(config_, architecture);
  total_ = tensors_.back().offset + tensors_.back().size;
  std::size_t next = 0;
  Places around;
  place(architecture.before, next, around);
  embedding_ = offset_of(around, TensorRole::embedding);
  for (std::size_t l = 0; l < config_.num_hidden_layers; ++l) {
    layer_offsets_.push_back(tensors_[next].offset);
    Places places;
    place(architecture.layer, next, places);
    layers_.push_back(layer_of(places));
  }
  layer_offsets_.push_back(next < tensors_.size() ? tensors_[next].offset : total_);
  place(architecture.after, next, around);
  using enum TensorRole;
  final_norm_ = offset_of(around, final_norm);
  head_ = product(around, {around.contains(TensorRole::head) ? TensorRole::head : embedding}, {});
  value_head_ = optional_offset(around, TensorRole::value_head).value_or(0);
  parameters_.assign(total_, T{0});
}

}  // namespace dualagent
