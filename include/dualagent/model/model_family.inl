#pragma once

/// Definitions of model_family.hpp; see core/compiled.hpp.

#include "dualagent/model/model_family.hpp"

namespace dualagent::detail {

DUALAGENT_INLINE void refuse_sliding_window(const ConfigReader& reader,
                                            const TransformerConfig& config, std::size_t fallback) {
  const nlohmann::json* value = reader.find_even_null("sliding_window");
  if (value == nullptr && fallback > 0 && fallback < config.max_position_embeddings)
    reader.fail("sliding_window", "is missing, which means " + std::to_string(fallback) +
                                      ": a sliding window is not supported");
  if (value != nullptr && !value->is_null() &&
      reader.size("sliding_window") < config.max_position_embeddings)
    reader.unsupported("sliding_window", *value);
}

DUALAGENT_INLINE void refuse_switched_window(const ConfigReader& reader,
                                             const TransformerConfig& config) {
  reader.find("sliding_window");
  reader.find("max_window_layers");
  const nlohmann::json* types = reader.find("layer_types");
  if (types == nullptr) return;
  const bool full = types->is_array() && types->size() == config.num_hidden_layers &&
                    std::all_of(types->begin(), types->end(),
                                [](const auto& type) { return type == "full_attention"; });
  if (!full) reader.unsupported("layer_types", *types);
}

}  // namespace dualagent::detail
