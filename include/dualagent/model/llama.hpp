#pragma once

#include "dualagent/core/compiled.hpp"
#include "dualagent/model/architecture.hpp"
#include "dualagent/model/model_family.hpp"
#include "dualagent/model/transformer_config.hpp"

namespace dualagent {

namespace detail {
void read_llama(const ConfigReader& reader, TransformerConfig& config);
}  // namespace detail

/// Llama 1 to 3.2, SmolLM2 and whoever took their form.
inline constexpr ModelFamily kLlama{"llama", "LlamaForCausalLM", 0, detail::read_llama};

/// Llama's tensors under Hugging Face's names. With `qkv_bias` they are those of Qwen2, with
/// `qk_norm` those of Qwen3.
Architecture llama(const TransformerConfig& config);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/model/llama.inl"
#endif
