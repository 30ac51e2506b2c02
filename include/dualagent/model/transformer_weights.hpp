#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/core/random.hpp"
#include "dualagent/kernels/simd.inl"
#include "dualagent/model/backend.hpp"
#include "dualagent/model/gemm.hpp"
#include "dualagent/model/transformer_config.hpp"

namespace dualagent {

/// Where the parts of one layer lie in the flat buffer of parameters, as element offsets.
///
/// Matrices are [out, in] row-major. q, k and v lie one after another, and so do gate and up, so
/// that each group is one product.
struct LayerOffsets {
  std::size_t input_norm, qkv, output, post_norm, gate_up, down;
};

/// The flat parameter buffer of a transformer, the names of its parts, and what is derived from it.
template <class T>
class TransformerWeights {
 public:
  explicit TransformerWeights(const TransformerConfig& config) : config_(config) {
    config.validate();
    lay_out();
    transposed_.resize(config.num_hidden_layers);
    parameters_.assign(total_, T{0});
  }

  const TransformerConfig& config() const { return config_; }
  std::span<T> parameters() { return parameters_; }
  std::span<const T> parameters() const { return parameters_; }
  std::span<const TensorInfo> tensors() const { return tensors_; }

  std::size_t qkv_size() const {
    return (config_.num_attention_heads + 2 * config_.num_key_value_heads) * config_.head_dim;
  }
  std::size_t heads_size() const { return config_.num_attention_heads * config_.head_dim; }
  std::size_t vocab_padded() const { return kernels::padded<T>(config_.vocab_size); }

  const LayerOffsets& layer(std::size_t index) const { return layers_[index]; }
  std::size_t embedding() const { return embedding_; }
  std::size_t final_norm() const { return final_norm_; }
  std::size_t head() const { return head_; }
  /// Row of the value head; only where the config has one.
  std::size_t value_head() const { return value_head_; }
  const T* at(std::size_t offset) const { return parameters_.data() + offset; }
  Matrix<const T> matrix(std::size_t offset, std::size_t rows, std::size_t columns) const {
    return dense(at(offset), rows, columns);
  }

  /// W^T in panels, for the forward products x W^T; valid after `refresh`.
  struct Transposed {
    AlignedVector<T> data;
    std::size_t rows = 0, columns = 0;  // of W^T
    Panels<T> panels() const { return {data.data(), rows, columns, rows * kernels::kLanes<T>}; }
  };
  struct TransposedLayer {
    Transposed qkv, output, gate_up, down;
  };
  const TransposedLayer& transposed(std::size_t layer) const { return transposed_[layer]; }
  Panels<T> transposed_head() const { return transposed_head_.panels(); }

  /// Rebuilds the transposed copies from the parameters.
  void refresh() {
    for (std::size_t part = 0; part < refresh_parts(); ++part) refresh(part);
  }
  /// Parts of `refresh` that may be done at the same time: the layers and the head.
  std::size_t refresh_parts() const { return layers_.size() + 1; }
  void refresh(std::size_t part) {
    const std::size_t d = config_.hidden_size;
    const std::size_t f = config_.intermediate_size;
    if (part == layers_.size()) {
      transpose(head_, config_.vocab_size, d, transposed_head_);
      return;
    }
    transpose(layers_[part].qkv, qkv_size(), d, transposed_[part].qkv);
    transpose(layers_[part].output, d, heads_size(), transposed_[part].output);
    transpose(layers_[part].gate_up, 2 * f, d, transposed_[part].gate_up);
    transpose(layers_[part].down, d, f, transposed_[part].down);
  }

  /// Normal numbers of the usual scales: embedding 0.1, projections in^-1/2, residual outputs
  /// in^-1/2 / sqrt(2 layers), head in^-1/2 / 2; norms 1; value head 0.
  void initialise(std::uint64_t seed) {
    const RandomStream random = RandomStream::from_seed(seed);
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      const TensorInfo& tensor = tensors_[i];
      const double scale = initial_scale(tensor);
      const RandomStream stream = random.child(i);
      for (std::size_t j = 0; j < tensor.size; ++j)
        parameters_[tensor.offset + j] =
            static_cast<T>(tensor.shape.size() == 1 ? 1.0 : scale * stream.normal(j));
    }
  }

 private:
  void lay_out() {
    const std::size_t d = config_.hidden_size;
    const std::size_t f = config_.intermediate_size;
    const std::size_t q = heads_size();
    const std::size_t kv = config_.num_key_value_heads * config_.head_dim;
    embedding_ = add("model.embed_tokens.weight", {config_.vocab_size, d});
    for (std::size_t l = 0; l < config_.num_hidden_layers; ++l) {
      const std::string prefix = "model.layers." + std::to_string(l) + ".";
      LayerOffsets at{};
      at.input_norm = add(prefix + "input_layernorm.weight", {d});
      at.qkv = add(prefix + "self_attn.q_proj.weight", {q, d});
      add(prefix + "self_attn.k_proj.weight", {kv, d});
      add(prefix + "self_attn.v_proj.weight", {kv, d});
      at.output = add(prefix + "self_attn.o_proj.weight", {d, q});
      at.post_norm = add(prefix + "post_attention_layernorm.weight", {d});
      at.gate_up = add(prefix + "mlp.gate_proj.weight", {f, d});
      add(prefix + "mlp.up_proj.weight", {f, d});
      at.down = add(prefix + "mlp.down_proj.weight", {d, f});
      layers_.push_back(at);
    }
    final_norm_ = add("model.norm.weight", {d});
    head_ =
        config_.tie_word_embeddings ? embedding_ : add("lm_head.weight", {config_.vocab_size, d});
    if (config_.value_head) value_head_ = add("value_head.weight", {1, d});
  }

  std::size_t add(std::string name, std::vector<std::size_t> shape) {
    std::size_t size = 1;
    for (const std::size_t extent : shape) size *= extent;
    tensors_.push_back({std::move(name), std::move(shape), total_, size});
    total_ += size;
    return total_ - size;
  }

  double initial_scale(const TensorInfo& tensor) const {
    const auto ends_with = [&](std::string_view end) { return tensor.name.ends_with(end); };
    if (ends_with("embed_tokens.weight")) return 0.1;
    if (ends_with("value_head.weight")) return 0.0;
    const double scale = 1.0 / std::sqrt(static_cast<double>(tensor.shape.back()));
    if (ends_with("lm_head.weight")) return 0.5 * scale;
    if (ends_with("o_proj.weight") || ends_with("down_proj.weight"))
      return scale / std::sqrt(2.0 * static_cast<double>(config_.num_hidden_layers));
    return scale;
  }

  void transpose(std::size_t offset, std::size_t rows, std::size_t columns, Transposed& to) const {
    to.data.resize(panels_size<T>(columns, rows));
    to.rows = columns, to.columns = rows;
    transpose_to_panels<T>(matrix(offset, rows, columns), to.data.data());
  }

  TransformerConfig config_;
  AlignedVector<T> parameters_;
  std::vector<TensorInfo> tensors_;
  std::size_t total_ = 0;
  std::size_t embedding_ = 0;
  std::size_t final_norm_ = 0;
  std::size_t head_ = 0;
  std::size_t value_head_ = 0;
  std::vector<LayerOffsets> layers_;
  std::vector<TransposedLayer> transposed_;
  Transposed transposed_head_;
};

}  // namespace dualagent
