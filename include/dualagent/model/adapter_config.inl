#pragma once

/// Definitions of adapter_config.hpp; see core/compiled.hpp.

#include "dualagent/model/adapter_config.hpp"

namespace dualagent::detail {

/// The projections by the names of their modules, in the order of a layer.
inline constexpr std::array<std::pair<TensorRole, std::string_view>, 7> kModuleNames{
    {{TensorRole::query, "q_proj"},
     {TensorRole::key, "k_proj"},
     {TensorRole::value, "v_proj"},
     {TensorRole::attention_output, "o_proj"},
     {TensorRole::gate, "gate_proj"},
     {TensorRole::up, "up_proj"},
     {TensorRole::down, "down_proj"}}};

/// Entries that do not change what an adapter computes. Dropout is one: it acts in training with
/// PEFT only.
inline constexpr std::array<std::string_view, 9> kAdapterEntriesWithoutEffect = {
    "auto_mapping", "inference_mode", "lora_dropout", "megatron_core",    "peft_version",
    "revision",     "eva_config",     "arrow_config", "qalora_group_size"};

inline std::vector<TensorRole> read_targets(const ConfigReader& reader) {
  const nlohmann::json* value = reader.find("target_modules");
  if (value == nullptr) reader.fail("target_modules", "is missing");
  std::vector<TensorRole> targets;
  if (*value == "all-linear") return LowRank{}.targets;
  if (!value->is_array() || value->empty()) reader.unsupported("target_modules", *value);
  for (const nlohmann::json& name : *value) {
    const auto found = std::find_if(kModuleNames.begin(), kModuleNames.end(),
                                    [&](const auto& module) { return name == module.second; });
    if (found == kModuleNames.end()) reader.unsupported("target_modules", name);
    if (std::find(targets.begin(), targets.end(), found->first) == targets.end())
      targets.push_back(found->first);
  }
  return targets;
}

/// Refuses what would change the mathematics in a way that an adapter here does not know.
inline void refuse_other_adapters(const ConfigReader& reader) {
  reader.require_neutral("peft_type", "LORA");
  reader.require_neutral("task_type", "CAUSAL_LM");
  reader.require_neutral("bias", "none");
  for (const char* key : {"ensure_weight_tying", "fan_in_fan_out", "lora_bias", "use_bdlora",
                          "use_dora", "use_qalora"})
    reader.require_neutral(key, false);
  for (const char* key : {"alpha_pattern", "loftq_config", "rank_pattern"})
    reader.require_neutral(key, nlohmann::json::object());
  for (const char* key : {"exclude_modules", "layers_to_transform", "modules_to_save",
                          "target_parameters", "trainable_token_indices"})
    reader.require_neutral(key, nlohmann::json::array());
  // Other initialisations (PiSSA, OLoRA, LoftQ, CorDA) change the base as well.
  const nlohmann::json* begin = reader.find("init_lora_weights");
  if (begin != nullptr && !begin->is_boolean() && *begin != "gaussian" && *begin != "eva")
    reader.unsupported("init_lora_weights", *begin);
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE AdapterConfig parse_adapter_config(const std::string& text,
                                                    const std::string& where) {
  const nlohmann::json object =
      parse_json(text, where, "Save the adapter again, or correct its adapter_config.json");
  const detail::ConfigReader reader(
      object, where, "configuration",
      "Use the adapter_config.json that belongs to the adapter, or correct the entry",
      "Use a LoRA adapter without it (docs/models.md#adapters), or merge it into its base with "
      "PEFT");
  detail::refuse_other_adapters(reader);
  AdapterConfig config;
  config.change = {.rank = reader.size("r"),
                   .alpha = reader.positive("lora_alpha"),
                   .rank_stabilized = reader.boolean("use_rslora", false),
                   .targets = detail::read_targets(reader),
                   .seed = std::nullopt};
  config.base_model = reader.text("base_model_name_or_path", "");
  for (const std::string& key : reader.unread(detail::kAdapterEntriesWithoutEffect))
    reader.unsupported(printable(key), object.at(key));
  return config;
}

DUALAGENT_INLINE AdapterConfig read_adapter_config(const std::filesystem::path& path) {
  return parse_adapter_config(read_file(path), path.string());
}

DUALAGENT_INLINE std::string to_adapter_config_json(const AdapterConfig& config) {
  config.change.validate();
  nlohmann::json object;
  if (!config.base_model.empty()) object["base_model_name_or_path"] = config.base_model;
  object["bias"] = "none";
  object["inference_mode"] = true;
  const double alpha = config.change.alpha;
  if (alpha == std::floor(alpha) && alpha < 0x1p53)
    object["lora_alpha"] = static_cast<std::int64_t>(alpha);
  else
    object["lora_alpha"] = alpha;
  object["lora_dropout"] = 0.0;
  object["modules_to_save"] = nullptr;
  object["peft_type"] = "LORA";
  object["r"] = config.change.rank;
  auto& targets = object["target_modules"] = nlohmann::json::array();
  for (const auto& [role, name] : detail::kModuleNames)
    if (config.change.changes(role)) targets.push_back(std::string(name));
  object["task_type"] = "CAUSAL_LM";
  object["use_dora"] = false;
  object["use_rslora"] = config.change.rank_stabilized;
  return object.dump(2) + "\n";
}

}  // namespace dualagent
