#pragma once

#include "dualagent/model/model_family.hpp"

namespace dualagent {

namespace detail {
inline void read_mistral(const ConfigReader& reader, TransformerConfig& config) {
  config.num_key_value_heads = reader.size("num_key_value_heads");
  refuse_sliding_window(reader, config, 4096);
}
}  // namespace detail

/// Mistral without a sliding window (7B from version 0.2 on): computed as Llama.
inline constexpr ModelFamily kMistral{"mistral", "MistralForCausalLM", 0, detail::read_mistral};

}  // namespace dualagent
