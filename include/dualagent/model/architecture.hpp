#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

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
inline const char* to_string(TensorRole role) {
  constexpr std::array<const char*, 18> names{"embedding",
                                              "input norm",
                                              "query",
                                              "key",
                                              "value",
                                              "query bias",
                                              "key bias",
                                              "value bias",
                                              "query norm",
                                              "key norm",
                                              "attention output",
                                              "post-attention norm",
                                              "gate",
                                              "up",
                                              "down",
                                              "final norm",
                                              "head",
                                              "value head"};
  return names.at(static_cast<std::size_t>(role));
}

/// A named tensor inside a model's flat buffers of parameters and gradients.
struct TensorInfo {
  std::string name;                // as in Hugging Face checkpoints
  std::vector<std::size_t> shape;  // row-major
  std::size_t offset = 0;          // of the first element in the flat buffer
  std::size_t size = 0;            // number of elements
  /// None: the model does not say. Optimizers go by it.
  std::optional<TensorRole> role = {};
};

/// One tensor of a description.
struct DescribedTensor {
  TensorRole role;
  std::string name;                // as in Hugging Face checkpoints
  std::vector<std::size_t> shape;  // row-major; matrices are [out, in]
};

/// A decoder-only transformer as data: its tensors in the order of the model's flat parameters.
///
/// The tensors that are listed decide what is computed. Every block is RMSNorm, attention with
/// rotary positions, RMSNorm, SwiGLU; biases of queries, keys and values are added, and queries and
/// keys are normed, where their tensors are described; without a head, the embedding is the head.
/// Tensors that are multiplied together follow one another: query, key, value; their biases; gate,
/// up.
struct Architecture {
  std::vector<DescribedTensor> before;  // the layers; the embedding among them
  std::string layer_prefix;             // and a number and '.', before a layer's names
  std::vector<DescribedTensor> layer;   // the same for all layers
  std::vector<DescribedTensor> after;
};

}  // namespace dualagent
