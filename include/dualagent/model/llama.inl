#pragma once

/// Definitions of llama.hpp; see core/compiled.hpp.

#include "dualagent/model/llama.hpp"

namespace dualagent::detail {

DUALAGENT_INLINE void read_llama(const ConfigReader& reader, TransformerConfig& config) {
  refuse_sliding_window(reader, config, 0);
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE Architecture llama(const TransformerConfig& config) {
  using enum TensorRole;
  Architecture model;
  model.before = {{embedding, "model.embed_tokens.weight"}};
  model.layer_prefix = "model.layers.";
  const auto add = [&](TensorRole role, const char* name) { model.layer.push_back({role, name}); };
  add(input_norm, "input_layernorm.weight");
  add(query, "self_attn.q_proj.weight");
  add(key, "self_attn.k_proj.weight");
  add(value, "self_attn.v_proj.weight");
  if (config.qkv_bias) {
    add(query_bias, "self_attn.q_proj.bias");
    add(key_bias, "self_attn.k_proj.bias");
    add(value_bias, "self_attn.v_proj.bias");
  }
  if (config.qk_norm) {
    add(query_norm, "self_attn.q_norm.weight");
    add(key_norm, "self_attn.k_norm.weight");
  }
  add(attention_output, "self_attn.o_proj.weight");
  add(post_attention_norm, "post_attention_layernorm.weight");
  add(gate, "mlp.gate_proj.weight");
  add(up, "mlp.up_proj.weight");
  add(down, "mlp.down_proj.weight");
  model.after = {{final_norm, "model.norm.weight"}};
  if (!config.tie_word_embeddings) model.after.push_back({head, "lm_head.weight"});
  if (config.value_head) model.after.push_back({value_head, "value_head.weight"});
  return model;
}

}  // namespace dualagent
