#pragma once

/// Definitions of architecture.hpp; see core/compiled.hpp.

#include "dualagent/model/architecture.hpp"

namespace dualagent {

DUALAGENT_INLINE const char* to_string(TensorRole role) {
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

DUALAGENT_INLINE bool is_projection(TensorRole role) {
  using enum TensorRole;
  constexpr std::array<TensorRole, 7> roles{query, key, value, attention_output, gate, up, down};
  return std::find(roles.begin(), roles.end(), role) != roles.end();
}

DUALAGENT_INLINE bool is_hidden_matrix(const TensorInfo& tensor) {
  return tensor.shape.size() == 2 && tensor.role && is_projection(*tensor.role);
}

DUALAGENT_INLINE std::vector<std::size_t> shape_of(TensorRole role,
                                                   const TransformerConfig& config) {
  const std::size_t d = config.hidden_size;
  const std::size_t f = config.intermediate_size;
  const std::size_t q = config.num_attention_heads * config.head_dim;
  const std::size_t kv = config.num_key_value_heads * config.head_dim;
  using enum TensorRole;
  switch (role) {
    case embedding:
    case head:
      return {config.vocab_size, d};
    case query:
      return {q, d};
    case key:
    case value:
      return {kv, d};
    case query_bias:
      return {q};
    case key_bias:
    case value_bias:
      return {kv};
    case query_norm:
    case key_norm:
      return {config.head_dim};
    case attention_output:
      return {d, q};
    case gate:
    case up:
      return {f, d};
    case down:
      return {d, f};
    case value_head:
      return {1, d};
    default:  // norms of the residual stream
      return {d};
  }
}

DUALAGENT_INLINE std::vector<TensorInfo> tensors_of(const TransformerConfig& config,
                                                    const Architecture& architecture) {
  std::vector<TensorInfo> tensors;
  std::size_t total = 0;
  const auto add = [&](const std::vector<DescribedTensor>& described, const std::string& prefix) {
    for (const DescribedTensor& tensor : described) {
      const std::vector<std::size_t> shape = shape_of(tensor.role, config);
      std::size_t size = 1;
      for (const std::size_t extent : shape) size *= extent;
      tensors.push_back({prefix + tensor.name, shape, total, size, tensor.role});
      total += size;
    }
  };
  add(architecture.before, "");
  for (std::size_t l = 0; l < config.num_hidden_layers; ++l)
    add(architecture.layer, architecture.layer_prefix + std::to_string(l) + ".");
  add(architecture.after, "");
  return tensors;
}

DUALAGENT_INLINE std::vector<TensorRole> roles_of(const TransformerConfig& config, bool of_layer) {
  using enum TensorRole;
  std::vector<TensorRole> roles{embedding, final_norm};
  if (of_layer)
    roles = {input_norm, query, key, value, attention_output, post_attention_norm, gate, up, down};
  const auto add = [&](bool has, std::vector<TensorRole> more) {
    if (has) roles.insert(roles.end(), more.begin(), more.end());
  };
  add(of_layer && config.qkv_bias, {query_bias, key_bias, value_bias});
  add(of_layer && config.qk_norm, {query_norm, key_norm});
  add(!of_layer && !config.tie_word_embeddings, {head});
  add(!of_layer && config.value_head, {TensorRole::value_head});
  return roles;
}

DUALAGENT_INLINE void require_described(const TransformerConfig& config,
                                        const Architecture& architecture) {
  const auto check = [&](std::vector<DescribedTensor> tensors, bool of_layer) {
    for (const TensorRole role : roles_of(config, of_layer)) {
      const auto has_role = [&](const DescribedTensor& tensor) { return tensor.role == role; };
      const auto found = std::find_if(tensors.begin(), tensors.end(), has_role);
      if (found == tensors.end())
        throw Error(std::string("the description lacks a tensor: ") + to_string(role),
                    "Architecture");
      tensors.erase(found);
    }
    if (!tensors.empty())
      throw Error("the description has a tensor too many: " + tensors.front().name + " (" +
                      to_string(tensors.front().role) + ")",
                  "Architecture", "Each role is described once, where the config asks for it");
  };
  std::vector<DescribedTensor> around = architecture.before;
  around.insert(around.end(), architecture.after.begin(), architecture.after.end());
  check(around, false);
  check(architecture.layer, true);
}

}  // namespace dualagent
