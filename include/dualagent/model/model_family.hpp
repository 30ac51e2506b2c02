#pragma once

#include <algorithm>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "dualagent/core/compiled.hpp"
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
void refuse_sliding_window(const ConfigReader& reader, const TransformerConfig& config,
                           std::size_t fallback);

/// The same for families with a switch, `use_sliding_window`, which is refused where it is on; the
/// window itself has no effect where it is off.
void refuse_switched_window(const ConfigReader& reader, const TransformerConfig& config);

}  // namespace detail

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/model/model_family.inl"
#endif
