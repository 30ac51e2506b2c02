#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "dualagent/model/architecture.hpp"
#include "dualagent/model/transformer_config.hpp"

namespace dualagent {

/// Llama's tensors under Hugging Face's names. With `qkv_bias` they are those of Qwen2, with
/// `qk_norm` those of Qwen3.
inline Architecture llama(const TransformerConfig& config) {
  using enum TensorRole;
  const std::size_t d = config.hidden_size;
  const std::size_t f = config.intermediate_size;
  const std::size_t q = config.num_attention_heads * config.head_dim;
  const std::size_t kv = config.num_key_value_heads * config.head_dim;
  Architecture model;
  model.before = {{embedding, "model.embed_tokens.weight", {config.vocab_size, d}}};
  model.layer_prefix = "model.layers.";
  const auto add = [&](TensorRole role, const char* name, std::vector<std::size_t> shape) {
    model.layer.push_back({role, name, std::move(shape)});
  };
  add(input_norm, "input_layernorm.weight", {d});
  add(query, "self_attn.q_proj.weight", {q, d});
  add(key, "self_attn.k_proj.weight", {kv, d});
  add(value, "self_attn.v_proj.weight", {kv, d});
  if (config.qkv_bias) {
    add(query_bias, "self_attn.q_proj.bias", {q});
    add(key_bias, "self_attn.k_proj.bias", {kv});
    add(value_bias, "self_attn.v_proj.bias", {kv});
  }
  if (config.qk_norm) {
    add(query_norm, "self_attn.q_norm.weight", {config.head_dim});
    add(key_norm, "self_attn.k_norm.weight", {config.head_dim});
  }
  add(attention_output, "self_attn.o_proj.weight", {d, q});
  add(post_attention_norm, "post_attention_layernorm.weight", {d});
  add(gate, "mlp.gate_proj.weight", {f, d});
  add(up, "mlp.up_proj.weight", {f, d});
  add(down, "mlp.down_proj.weight", {d, f});
  model.after = {{final_norm, "model.norm.weight", {d}}};
  if (!config.tie_word_embeddings)
    model.after.push_back({head, "lm_head.weight", {config.vocab_size, d}});
  if (config.value_head) model.after.push_back({value_head, "value_head.weight", {1, d}});
  return model;
}

}  // namespace dualagent
