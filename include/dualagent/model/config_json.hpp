#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/core/number_text.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/core/spelling.hpp"
#include "dualagent/core/warning.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/model/transformer_config.hpp"

namespace dualagent {

namespace detail {

/// Reads typed entries of one JSON object; null counts as missing, as in Hugging Face files.
class ConfigReader {
 public:
  ConfigReader(const nlohmann::json& object, std::string where)
      : object_(object), where_(std::move(where)) {
    if (!object_.is_object()) throw Error("configuration is not a JSON object", where_, kRemedy);
  }

  const nlohmann::json* find(const std::string& key) const {
    known_.insert(key);
    const auto found = object_.find(key);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }

  /// A whole number from 1 to 2^31 - 1.
  std::size_t size(const std::string& key, std::optional<std::size_t> fallback = {}) const {
    const nlohmann::json* value = find_or_fail(key, fallback.has_value());
    if (value == nullptr) return *fallback;
    const std::uint64_t number = value->is_number_unsigned() ? value->get<std::uint64_t>() : 0;
    if (number < 1 || number > 0x7FFFFFFF) fail(key, "must be a whole number from 1 to 2^31 - 1");
    return static_cast<std::size_t>(number);
  }

  /// A finite number above 0.
  double positive(const std::string& key, std::optional<double> fallback = {}) const {
    const nlohmann::json* value = find_or_fail(key, fallback.has_value());
    if (value == nullptr) return *fallback;
    const double number = value->is_number() ? value->get<double>() : 0.0;
    if (!(number > 0.0) || !std::isfinite(number)) fail(key, "must be a number above 0");
    return number;
  }

  bool boolean(const std::string& key, bool fallback) const {
    const nlohmann::json* value = find(key);
    if (value == nullptr) return fallback;
    if (!value->is_boolean()) fail(key, "must be true or false");
    return value->get<bool>();
  }

  std::string text(const std::string& key, std::optional<std::string> fallback = {}) const {
    const nlohmann::json* value = find_or_fail(key, fallback.has_value());
    if (value == nullptr) return *fallback;
    if (!value->is_string()) fail(key, "must be a string");
    return value->get<std::string>();
  }

  /// After all entries were read: refuses one whose name is nearly that of an entry that was asked
  /// for, warns of others that nobody asked for and that are not in `ignored`.
  void check_names(std::span<const std::string_view> ignored) const {
    std::string unknown;
    for (const auto& [key, value] : object_.items()) {
      if (known_.contains(key) || value.is_null() ||
          std::find(ignored.begin(), ignored.end(), key) != ignored.end())
        continue;
      if (const auto nearest = nearest_name(key, known_))
        fail(printable(key), "is not an entry of a model's shape; did you mean " + *nearest + "?",
             "Correct the name, or remove the entry");
      unknown += (unknown.empty() ? "" : ", ") + printable(key);
    }
    if (!unknown.empty())
      warn("entries that nobody reads were ignored: " + unknown + " (" + where_ + ")");
  }

  [[noreturn]] void fail(const std::string& key, const std::string& what,
                         const std::string& remedy = kRemedy) const {
    throw Error(key + " " + what, where_, remedy);
  }
  [[noreturn]] void unsupported(const std::string& key, const std::string& value) const {
    fail(key, "= " + printable(value) + " is not supported",
         "Use a plain Llama model: RMSNorm, rotary embeddings without scaling, SwiGLU, no biases");
  }

 private:
  static constexpr const char* kRemedy =
      "Use the config.json that belongs to the model, or correct the entry";

  const nlohmann::json* find_or_fail(const std::string& key, bool has_fallback) const {
    const nlohmann::json* value = find(key);
    if (value == nullptr && !has_fallback) fail(key, "is missing" + misspelt_key(object_, key));
    return value;
  }

  const nlohmann::json& object_;
  std::string where_;
  mutable std::set<std::string> known_;  // entries that were asked for
};

/// Entries that Hugging Face writes beside a Llama model's shape and that do not change what it
/// computes.
inline constexpr std::array<std::string_view, 24> kEntriesWithoutEffect = {
    "_attn_implementation_autoset",
    "_name_or_path",
    "architectures",
    "auto_map",
    "bos_token_id",
    "dtype",
    "eos_token_id",
    "finetuning_task",
    "id2label",
    "initializer_range",
    "is_decoder",
    "is_encoder_decoder",
    "label2id",
    "output_attentions",
    "output_hidden_states",
    "pad_token_id",
    "pretraining_tp",
    "return_dict",
    "task_specific_params",
    "tokenizer_class",
    "torch_dtype",
    "transformers_version",
    "unk_token_id",
    "use_cache"};

/// Refuses everything that would change the mathematics in a way the transformer does not know.
inline void refuse_unsupported_features(const ConfigReader& config) {
  if (const std::string type = config.text("model_type"); type != "llama")
    config.unsupported("model_type", type);
  if (const std::string act = config.text("hidden_act", "silu"); act != "silu")
    config.unsupported("hidden_act", act);
  for (const char* key : {"attention_bias", "mlp_bias"})
    if (config.boolean(key, false)) config.unsupported(key, "true");
  if (config.find("quantization_config") != nullptr)
    config.unsupported("quantization_config", "{...}");
  const nlohmann::json* dropout = config.find("attention_dropout");
  if (dropout != nullptr && !(dropout->is_number() && dropout->get<double>() == 0.0))
    config.unsupported("attention_dropout", "anything but 0");
  const nlohmann::json* rotary_part = config.find("partial_rotary_factor");
  if (rotary_part != nullptr && !(rotary_part->is_number() && rotary_part->get<double>() == 1.0))
    config.unsupported("partial_rotary_factor", "anything but 1");
}

/// rope_theta, from the top level or from rope_parameters (transformers 5); scaling is refused.
inline double read_rope_theta(const ConfigReader& config, const std::string& where) {
  std::optional<double> theta;
  if (config.find("rope_theta") != nullptr) theta = config.positive("rope_theta");
  for (const std::string key : {"rope_scaling", "rope_parameters"}) {
    const nlohmann::json* object = config.find(key);
    if (object == nullptr) continue;
    const ConfigReader rope(*object, where + ": " + key);
    for (const char* name : {"rope_type", "type"})
      if (const std::string type = rope.text(name, "default"); type != "default")
        config.unsupported(key + "." + name, type);
    for (const char* name : {"factor", "partial_rotary_factor"})
      if (rope.find(name) != nullptr && rope.positive(name) != 1.0)
        config.unsupported(key + "." + name, "anything but 1");
    if (rope.find("rope_theta") == nullptr) continue;
    if (theta && *theta != rope.positive("rope_theta"))
      config.fail(key, "and rope_theta contradict each other");
    theta = rope.positive("rope_theta");
  }
  return theta.value_or(10000.0);
}

inline void check_sizes(const TransformerConfig& config, const std::string& where) {
  try {
    config.validate();
  } catch (const Error& error) {
    throw Error(error.problem(), where, error.remedy());
  }
}

}  // namespace detail

/// Reads the text of a Hugging Face config.json of the Llama family.
///
/// Required: model_type "llama", vocab_size, hidden_size, intermediate_size, num_hidden_layers,
/// num_attention_heads, max_position_embeddings, rms_norm_eps. Missing or null entries that
/// Hugging Face documents defaults for take them: num_key_value_heads = num_attention_heads,
/// head_dim = hidden_size / num_attention_heads (which must divide), rope_theta = 10000 (also read
/// from rope_parameters), tie_word_embeddings = false, hidden_act = "silu", no biases. Our own
/// entry value_head = false says whether there is a critic. Entries that change nothing are
/// ignored, others that are not known are ignored with a warning. Errors: Error naming an entry
/// whose name is misspelt, and the entry for a wrong type, a missing entry, sizes that do not fit
/// each other, and features the transformer lacks: other model types or activations, rope scaling,
/// biases, attention dropout, quantization.
inline TransformerConfig parse_config_json(const std::string& text, const std::string& where) {
  const nlohmann::json object =
      parse_json(text, where, "Fetch the model's config.json again, or correct it there");
  const detail::ConfigReader reader(object, where);
  detail::refuse_unsupported_features(reader);
  TransformerConfig config;
  config.vocab_size = reader.size("vocab_size");
  config.hidden_size = reader.size("hidden_size");
  config.intermediate_size = reader.size("intermediate_size");
  config.num_hidden_layers = reader.size("num_hidden_layers");
  config.num_attention_heads = reader.size("num_attention_heads");
  config.num_key_value_heads = reader.size("num_key_value_heads", config.num_attention_heads);
  if (reader.find("head_dim") == nullptr && config.hidden_size % config.num_attention_heads != 0)
    reader.fail("head_dim", "is missing and hidden_size is not a multiple of num_attention_heads");
  config.head_dim = reader.size("head_dim", config.hidden_size / config.num_attention_heads);
  config.max_position_embeddings = reader.size("max_position_embeddings");
  config.rope_theta =
      static_cast<decltype(config.rope_theta)>(detail::read_rope_theta(reader, where));
  config.rms_norm_eps = static_cast<decltype(config.rms_norm_eps)>(reader.positive("rms_norm_eps"));
  config.tie_word_embeddings = reader.boolean("tie_word_embeddings", false);
  config.value_head = reader.boolean("value_head", false);
  detail::check_sizes(config, where);
  reader.check_names(detail::kEntriesWithoutEffect);
  return config;
}

/// Reads a config.json file. Errors: as `parse_config_json`, or when the file cannot be read.
inline TransformerConfig read_config_json(const std::filesystem::path& path) {
  return parse_config_json(read_file(path), path.string());
}

/// The text of a config.json that Hugging Face and `parse_config_json` read back to the same
/// values.
///
/// `torch_dtype` is the element type of the weights beside it, e.g. "float32". Deterministic.
/// Errors: Error if the model has qkv_bias or qk_norm, which Llama lacks.
inline std::string to_config_json(const TransformerConfig& config,
                                  std::string_view torch_dtype = "float32") {
  if (config.qkv_bias || config.qk_norm)
    throw Error("a model with qkv_bias or qk_norm cannot be written as a config.json of Llama",
                "to_config_json");
  std::string text = "{\n";
  const auto entry = [&](std::string_view key, const std::string& value) {
    text += "  \"" + std::string(key) + "\": " + value + ",\n";
  };
  entry("architectures", "[\"LlamaForCausalLM\"]");
  entry("attention_bias", "false");
  entry("attention_dropout", "0.0");
  entry("head_dim", std::to_string(config.head_dim));
  entry("hidden_act", "\"silu\"");
  entry("hidden_size", std::to_string(config.hidden_size));
  entry("intermediate_size", std::to_string(config.intermediate_size));
  entry("max_position_embeddings", std::to_string(config.max_position_embeddings));
  entry("mlp_bias", "false");
  entry("model_type", "\"llama\"");
  entry("num_attention_heads", std::to_string(config.num_attention_heads));
  entry("num_hidden_layers", std::to_string(config.num_hidden_layers));
  entry("num_key_value_heads", std::to_string(config.num_key_value_heads));
  entry("rms_norm_eps", shortest_text(config.rms_norm_eps));
  entry("rope_scaling", "null");
  entry("rope_theta", shortest_text(config.rope_theta));
  entry("tie_word_embeddings", config.tie_word_embeddings ? "true" : "false");
  entry("torch_dtype", std::string("\"").append(torch_dtype).append("\""));
  if (config.value_head) entry("value_head", "true");
  entry("vocab_size", std::to_string(config.vocab_size));
  text.erase(text.size() - 2);
  return text + "\n}\n";
}

/// Writes a config.json atomically. Errors: as `AtomicFile`.
inline void write_config_json(const std::filesystem::path& path, const TransformerConfig& config,
                              std::string_view torch_dtype = "float32") {
  write_file_atomically(path, to_config_json(config, torch_dtype));
}

}  // namespace dualagent
