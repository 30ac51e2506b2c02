#pragma once

#include <algorithm>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "dualagent/model/config_reader.hpp"
#include "dualagent/model/transformer_config.hpp"

namespace dualagent {

/// A kind of decoder that Hugging Face directories hold: its names in config.json, and how its
/// entries differ from those that all kinds have.
struct ModelFamily {
  std::string_view model_type;  ///< e.g. "qwen2"
  std::string_view class_name;  ///< in `architectures`, e.g. "Qwen2ForCausalLM"
  /// head_dim of a config.json that says nothing of it; 0: hidden_size / num_attention_heads.
  std::size_t default_head_dim = 0;
  /// Reads what is particular to the family into a config whose common entries are read, and
  /// refuses what would change the results.
  void (*read)(const detail::ConfigReader& reader, TransformerConfig& config) = nullptr;
};

namespace detail {

/// Refuses a window that is narrower than the model's contexts; `fallback` is what a missing entry
/// means (0: no window).
inline void refuse_sliding_window(const ConfigReader& reader, const TransformerConfig& config,
                                  std::size_t fallback) {
  const nlohmann::json* value = reader.find_even_null("sliding_window");
  if (value == nullptr && fallback > 0 && fallback < config.max_position_embeddings)
    reader.fail("sliding_window", "is missing, which means " + std::to_string(fallback) +
                                      ": a sliding window is not supported");
  if (value != nullptr && !value->is_null() &&
      reader.size("sliding_window") < config.max_position_embeddings)
    reader.unsupported("sliding_window", *value);
}

/// The same for families with a switch, `use_sliding_window`, which is refused where it is on; the
/// window itself has no effect where it is off.
inline void refuse_switched_window(const ConfigReader& reader, const TransformerConfig& config) {
  reader.find("sliding_window");
  reader.find("max_window_layers");
  const nlohmann::json* types = reader.find("layer_types");
  if (types == nullptr) return;
  const bool full = types->is_array() && types->size() == config.num_hidden_layers &&
                    std::all_of(types->begin(), types->end(),
                                [](const auto& type) { return type == "full_attention"; });
  if (!full) reader.unsupported("layer_types", *types);
}

}  // namespace detail

}  // namespace dualagent
