#pragma once

#include "dualagent/model/model_family.hpp"

namespace dualagent {

namespace detail {
inline void read_qwen2(const ConfigReader& reader, TransformerConfig& config) {
  config.qkv_bias = true;
  config.num_key_value_heads = reader.size("num_key_value_heads");
  refuse_switched_window(reader, config);
}
}  // namespace detail

/// Qwen2 and Qwen2.5: Llama with biases of queries, keys and values.
inline constexpr ModelFamily kQwen2{"qwen2", "Qwen2ForCausalLM", 0, detail::read_qwen2};

}  // namespace dualagent
