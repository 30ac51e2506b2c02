#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/model/transformer_config.hpp"

namespace dualagent {

/// What a tensor of a model is for.
enum class TensorRole : std::uint8_t {
  embedding,
  input_norm,
  query,
  key,
  value,
  query_bias,
  key_bias,
  value_bias,
  query_norm,  ///< RMSNorm of every head's queries [head_dim], before they are rotated
  key_norm,
  attention_output,
  post_attention_norm,
  gate,
  up,
  down,
  final_norm,
  head,
  value_head,
};

/// As in error messages.
const char* to_string(TensorRole role);

/// A named tensor inside a model's flat buffers of parameters and gradients.
struct TensorInfo {
  std::string name;                // as in Hugging Face checkpoints
  std::vector<std::size_t> shape;  // row-major
  std::size_t offset = 0;          // of the first element in the flat buffer
  std::size_t size = 0;            // number of elements
  /// None: the model does not say. Optimizers go by it.
  std::optional<TensorRole> role = {};
};

/// Whether it is the role of a matrix that a layer multiplies with.
bool is_projection(TensorRole role);

/// Whether a tensor is a matrix between two hidden states, other than embeddings and head.
bool is_hidden_matrix(const TensorInfo& tensor);

/// Shape of a tensor of a model, row-major; matrices are [out, in].
std::vector<std::size_t> shape_of(TensorRole role, const TransformerConfig& config);

/// One tensor of a description. Its shape follows from its role: `shape_of`.
struct DescribedTensor {
  TensorRole role;
  std::string name;  // as in Hugging Face checkpoints
};

/// A decoder-only transformer as data: its tensors in the order of the model's flat parameters.
///
/// The tensors that are listed decide what is computed, and are those that the config asks for.
/// Every block is RMSNorm, attention with rotary positions, RMSNorm, SwiGLU; biases of queries,
/// keys and values are added, and queries and keys are normed, where their tensors are described;
/// without a head, the embedding is the head. Tensors that are multiplied together follow one
/// another: query, key, value; their biases; gate, up.
struct Architecture {
  std::vector<DescribedTensor> before;  // the layers; the embedding among them
  std::string layer_prefix;             // and a number and '.', before a layer's names
  std::vector<DescribedTensor> layer;   // the same for all layers
  std::vector<DescribedTensor> after;
};

/// The tensors of such a model, in the order of its flat parameters.
std::vector<TensorInfo> tensors_of(const TransformerConfig& config,
                                   const Architecture& architecture);

/// The roles that a model of such a config has: those of every layer, or those around the layers.
std::vector<TensorRole> roles_of(const TransformerConfig& config, bool of_layer);

/// Errors: Error naming a tensor that the config asks for and the description lacks, that it has
/// twice or has though the config knows of none.
void require_described(const TransformerConfig& config, const Architecture& architecture);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/model/architecture.inl"
#endif
