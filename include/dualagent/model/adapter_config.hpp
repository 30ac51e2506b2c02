#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/model/architecture.hpp"
#include "dualagent/model/config_reader.hpp"
#include "dualagent/model/low_rank.hpp"

namespace dualagent {

/// What an adapter_config.json says.
struct AdapterConfig {
  LowRank change;          ///< without a seed: A and B are in the file beside it
  std::string base_model;  ///< base_model_name_or_path; empty: it does not say
};

/// Reads the text of a PEFT adapter_config.json of a LoRA adapter.
///
/// Required: r, lora_alpha, target_modules (a list of q_proj, k_proj, v_proj, o_proj, gate_proj,
/// up_proj, down_proj, or "all-linear"). Nothing is ignored that could change what is computed.
/// Errors: Error naming the entry, and its value, for a wrong type, a missing entry, another kind
/// of adapter (DoRA, biases, modules_to_save, ranks or layers that differ, ...), and every entry
/// that is neither read nor known to have no effect.
AdapterConfig parse_adapter_config(const std::string& text, const std::string& where);

/// Reads an adapter_config.json file. Errors: as `parse_adapter_config`, or when the file cannot be
/// read.
AdapterConfig read_adapter_config(const std::filesystem::path& path);

/// The text of an adapter_config.json that PEFT and `parse_adapter_config` read back to the same
/// values. Deterministic. Errors: as `LowRank::validate`.
std::string to_adapter_config_json(const AdapterConfig& config);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/model/adapter_config.inl"
#endif
