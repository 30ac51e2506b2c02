#pragma once

#include "dualagent/model/model_family.hpp"

namespace dualagent {

namespace detail {
inline void read_qwen3(const ConfigReader& reader, TransformerConfig& config) {
  config.qk_norm = true;
  config.num_key_value_heads = reader.size("num_key_value_heads");
  refuse_switched_window(reader, config);
}
}  // namespace detail

/// Qwen3 (dense): Llama whose heads' queries and keys are normed, with a head_dim apart from the
/// width.
inline constexpr ModelFamily kQwen3{"qwen3", "Qwen3ForCausalLM", 128, detail::read_qwen3};

}  // namespace dualagent
