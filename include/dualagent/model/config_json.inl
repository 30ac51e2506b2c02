#pragma once

/// Definitions of config_json.hpp; see core/compiled.hpp.

#include "dualagent/model/config_json.hpp"

namespace dualagent::detail {

/// Entries that Hugging Face writes beside a model's shape and that do not change what it computes
/// for given tokens: names, tokens, types and defaults of generation, what is returned.
inline constexpr std::array<std::string_view, 59> kEntriesWithoutEffect = {
    "_attn_implementation",
    "_attn_implementation_autoset",
    "_commit_hash",
    "_name_or_path",
    "attn_implementation",
    "bad_words_ids",
    "begin_suppress_tokens",
    "bos_token_id",
    "decoder_start_token_id",
    "diversity_penalty",
    "do_sample",
    "dtype",
    "early_stopping",
    "encoder_no_repeat_ngram_size",
    "eos_token_id",
    "exponential_decay_length_penalty",
    "finetuning_task",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "id2label",
    "initializer_range",
    "is_decoder",
    "label2id",
    "length_penalty",
    "max_length",
    "min_length",
    "no_repeat_ngram_size",
    "num_beam_groups",
    "num_beams",
    "num_return_sequences",
    "output_attentions",
    "output_hidden_states",
    "output_scores",
    "pad_token_id",
    "prefix",
    "pretraining_tp",
    "problem_type",
    "remove_invalid_values",
    "repetition_penalty",
    "return_dict",
    "return_dict_in_generate",
    "sep_token_id",
    "suppress_tokens",
    "task_specific_params",
    "temperature",
    "tf_legacy_loss",
    "tie_encoder_decoder",
    "tokenizer_class",
    "top_k",
    "top_p",
    "torch_dtype",
    "torchscript",
    "transformers_version",
    "typical_p",
    "unk_token_id",
    "unsloth_fixed",
    "unsloth_version",
    "use_bfloat16",
    "use_cache"};

inline const ModelFamily& read_family(const ConfigReader& reader) {
  const std::string type = reader.text("model_type");
  for (const ModelFamily& family : kModelFamilies) {
    if (family.model_type != type) continue;
    const nlohmann::json* names = reader.find("architectures");
    if (names != nullptr && *names != nlohmann::json::array({std::string(family.class_name)}))
      reader.unsupported("architectures", *names);
    return family;
  }
  reader.unsupported("model_type", type);
}

/// Refuses what would change the mathematics in a way that the transformer does not know.
inline void refuse_unsupported_features(const ConfigReader& reader) {
  reader.require_neutral("hidden_act", "silu");
  reader.require_neutral("attention_dropout", 0.0);
  reader.require_neutral("partial_rotary_factor", 1.0);
  reader.require_neutral("auto_map", nlohmann::json::object());
  reader.require_neutral("pruned_heads", nlohmann::json::object());
  reader.require_neutral("chunk_size_feed_forward", 0);
  for (const char* key : {"add_cross_attention", "attention_bias", "is_encoder_decoder", "mlp_bias",
                          "use_mrope", "use_sliding_window"})
    reader.require_neutral(key, false);
  if (const nlohmann::json* scheme = reader.find("quantization_config"))
    reader.unsupported("quantization_config", *scheme);
}

/// What config.json says of rotary positions.
struct RotaryEntries {
  std::optional<double> theta;
  RopeScaling scaling;
};

/// One object of them: rope_scaling, or rope_parameters of transformers 5.
inline RotaryEntries read_rotary_object(const nlohmann::json& object, const ConfigReader& config,
                                        const std::string& key) {
  const ConfigReader rope(object, config.where() + ": " + key);
  RotaryEntries read;
  using enum RopeScaling::Type;
  const std::string type = rope.text("rope_type", rope.text("type", "default"));
  if (rope.text("type", type) != type) config.fail(key, "has a type and another rope_type");
  if (type == "linear" || type == "llama3")
    read.scaling.type = type == "linear" ? linear : llama3;
  else if (type != "default")
    config.unsupported(key + (object.contains("rope_type") ? ".rope_type" : ".type"), type);
  if (type == "default")
    rope.require_neutral("factor", 1.0);
  else
    read.scaling.factor = rope.positive("factor");
  if (type == "llama3") {
    read.scaling.low_freq_factor = rope.positive("low_freq_factor");
    read.scaling.high_freq_factor = rope.positive("high_freq_factor");
    read.scaling.original_max_position_embeddings = rope.size("original_max_position_embeddings");
  }
  rope.require_neutral("partial_rotary_factor", 1.0);
  if (rope.find("rope_theta") != nullptr) read.theta = rope.positive("rope_theta");
  rope.check_names({});
  return read;
}

/// rope_theta, rope_scaling and rope_parameters, which may not contradict each other.
inline void read_rotary(const ConfigReader& reader, TransformerConfig& config) {
  RotaryEntries all;
  if (reader.find("rope_theta") != nullptr) all.theta = reader.positive("rope_theta");
  bool has_scaling = false;
  for (const std::string key : {"rope_scaling", "rope_parameters"}) {
    const nlohmann::json* object = reader.find(key);
    if (object == nullptr) continue;
    const RotaryEntries read = read_rotary_object(*object, reader, key);
    if (all.theta && read.theta && *all.theta != *read.theta)
      reader.fail(key, "and rope_theta contradict each other");
    if (has_scaling && read.scaling != all.scaling)
      reader.fail(key, "and rope_scaling contradict each other");
    if (read.theta) all.theta = read.theta;
    all.scaling = read.scaling;
    has_scaling = true;
  }
  config.rope_theta = all.theta.value_or(10000.0);
  config.rope_scaling = all.scaling;
}

inline void read_heads(const ConfigReader& reader, const ModelFamily& family,
                       TransformerConfig& config) {
  config.num_attention_heads = reader.size("num_attention_heads");
  config.num_key_value_heads = reader.size("num_key_value_heads", config.num_attention_heads);
  std::size_t usual = family.default_head_dim;
  if (usual == 0) {
    if (reader.find("head_dim") == nullptr && config.hidden_size % config.num_attention_heads != 0)
      reader.fail("head_dim",
                  "is missing and hidden_size is not a multiple of num_attention_heads");
    usual = config.hidden_size / config.num_attention_heads;
  }
  config.head_dim = reader.size("head_dim", usual);
}

/// As transformers 4 wrote it and 5 reads it.
inline nlohmann::json rope_scaling_entry(const RopeScaling& scaling) {
  if (scaling.type == RopeScaling::Type::none) return nullptr;
  nlohmann::json entry;
  entry["factor"] = scaling.factor;
  if (scaling.type == RopeScaling::Type::llama3) {
    entry["high_freq_factor"] = scaling.high_freq_factor;
    entry["low_freq_factor"] = scaling.low_freq_factor;
    entry["original_max_position_embeddings"] = scaling.original_max_position_embeddings;
  }
  entry["rope_type"] = to_string(scaling.type);
  return entry;
}

inline void check_sizes(const TransformerConfig& config, const std::string& where) {
  try {
    config.validate();
  } catch (const Error& error) {
    throw Error(error.problem(), where, error.remedy());
  }
}

DUALAGENT_INLINE void require_same_shape(const TransformerConfig& model, TransformerConfig source,
                                         const std::string& where) {
  const auto compare = [&](const char* name, const auto& a, const auto& b) {
    if (a == b) return;
    std::string values;
    if constexpr (std::is_arithmetic_v<std::remove_cvref_t<decltype(a)>>)
      values = ": " + shortest_text(static_cast<double>(a)) + " here, " +
               shortest_text(static_cast<double>(b)) + " there";
    throw Error(std::string("the model to be saved differs in ") + name + values, where,
                "Name the folder that the model was loaded from, or none");
  };
  compare("vocab_size", model.vocab_size, source.vocab_size);
  compare("hidden_size", model.hidden_size, source.hidden_size);
  compare("num_hidden_layers", model.num_hidden_layers, source.num_hidden_layers);
  compare("num_attention_heads", model.num_attention_heads, source.num_attention_heads);
  compare("num_key_value_heads", model.num_key_value_heads, source.num_key_value_heads);
  compare("head_dim", model.head_dim, source.head_dim);
  compare("intermediate_size", model.intermediate_size, source.intermediate_size);
  compare("rope_theta", model.rope_theta, source.rope_theta);
  compare("rope_scaling", model.rope_scaling, source.rope_scaling);
  compare("rms_norm_eps", model.rms_norm_eps, source.rms_norm_eps);
  compare("tie_word_embeddings", model.tie_word_embeddings, source.tie_word_embeddings);
  compare("biases of queries, keys and values", model.qkv_bias, source.qkv_bias);
  compare("norms of queries and keys", model.qk_norm, source.qk_norm);
  source.max_position_embeddings = model.max_position_embeddings;
  source.value_head = model.value_head;
  compare("its shape", model, source);
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE TransformerConfig parse_config_json(const std::string& text,
                                                     const std::string& where) {
  const nlohmann::json object =
      parse_json(text, where, "Fetch the model's config.json again, or correct it there");
  const detail::ConfigReader reader(object, where);
  const ModelFamily& family = detail::read_family(reader);
  detail::refuse_unsupported_features(reader);
  TransformerConfig config;
  config.vocab_size = reader.size("vocab_size");
  config.hidden_size = reader.size("hidden_size");
  config.intermediate_size = reader.size("intermediate_size");
  config.num_hidden_layers = reader.size("num_hidden_layers");
  config.max_position_embeddings = reader.size("max_position_embeddings");
  config.rms_norm_eps = reader.positive("rms_norm_eps");
  config.tie_word_embeddings = reader.boolean("tie_word_embeddings", false);
  config.value_head = reader.boolean("value_head", false);
  detail::read_heads(reader, family, config);
  detail::read_rotary(reader, config);
  family.read(reader, config);
  detail::check_sizes(config, where);
  reader.check_names(detail::kEntriesWithoutEffect);
  return config;
}

DUALAGENT_INLINE TransformerConfig read_config_json(const std::filesystem::path& path) {
  return parse_config_json(read_file(path), path.string());
}

DUALAGENT_INLINE std::string to_config_json(const TransformerConfig& config,
                                            std::string_view torch_dtype) {
  if (config.qkv_bias && config.qk_norm)
    throw Error("no family of models has both qkv_bias and qk_norm", "to_config_json",
                "Make a model with one of them, or keep its weights only (write_weights)");
  const ModelFamily& family = config.qk_norm ? kQwen3 : config.qkv_bias ? kQwen2 : kLlama;
  const bool llama = family.model_type == kLlama.model_type;
  std::string text = "{\n";
  const auto entry = [&](std::string_view key, const std::string& value) {
    text += "  \"" + std::string(key) + "\": " + value + ",\n";
  };
  const auto quoted = [](std::string_view value) { return '"' + std::string(value) + '"'; };
  entry("architectures", "[" + quoted(family.class_name) + "]");
  if (!config.qkv_bias) entry("attention_bias", "false");
  entry("attention_dropout", "0.0");
  entry("head_dim", std::to_string(config.head_dim));
  entry("hidden_act", "\"silu\"");
  entry("hidden_size", std::to_string(config.hidden_size));
  entry("intermediate_size", std::to_string(config.intermediate_size));
  entry("max_position_embeddings", std::to_string(config.max_position_embeddings));
  if (llama) entry("mlp_bias", "false");
  entry("model_type", quoted(family.model_type));
  entry("num_attention_heads", std::to_string(config.num_attention_heads));
  entry("num_hidden_layers", std::to_string(config.num_hidden_layers));
  entry("num_key_value_heads", std::to_string(config.num_key_value_heads));
  entry("rms_norm_eps", shortest_text(config.rms_norm_eps));
  entry("rope_scaling", detail::rope_scaling_entry(config.rope_scaling).dump());
  entry("rope_theta", shortest_text(config.rope_theta));
  entry("tie_word_embeddings", config.tie_word_embeddings ? "true" : "false");
  entry("torch_dtype", quoted(torch_dtype));
  if (config.value_head) entry("value_head", "true");
  entry("vocab_size", std::to_string(config.vocab_size));
  text.erase(text.size() - 2);
  return text + "\n}\n";
}

DUALAGENT_INLINE std::string to_config_json(const TransformerConfig& config,
                                            std::string_view torch_dtype, const std::string& source,
                                            const std::string& where) {
  detail::require_same_shape(config, parse_config_json(source, where), where);
  auto json = parse_json(source, where, "Use the folder of a model");
  const nlohmann::json before = json;
  const std::string type(torch_dtype);
  for (const char* key : {"dtype", "torch_dtype"})
    if (json.contains(key)) json[key] = type;
  if (!json.contains("dtype")) json["torch_dtype"] = type;
  json["max_position_embeddings"] = config.max_position_embeddings;
  if (config.value_head || json.contains("value_head")) json["value_head"] = config.value_head;
  return json == before ? source : json.dump(2) + "\n";
}

DUALAGENT_INLINE void write_config_json(const std::filesystem::path& path,
                                        const TransformerConfig& config,
                                        std::string_view torch_dtype) {
  write_file_atomically(path, to_config_json(config, torch_dtype));
}

}  // namespace dualagent
