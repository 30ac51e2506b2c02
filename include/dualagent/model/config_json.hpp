#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/core/number_text.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/model/config_reader.hpp"
#include "dualagent/model/llama.hpp"
#include "dualagent/model/mistral.hpp"
#include "dualagent/model/model_family.hpp"
#include "dualagent/model/qwen2.hpp"
#include "dualagent/model/qwen3.hpp"
#include "dualagent/model/rope_scaling.hpp"
#include "dualagent/model/transformer_config.hpp"

namespace dualagent {

/// Every kind of model that config.json may name.
inline constexpr std::array<ModelFamily, 4> kModelFamilies{kLlama, kQwen2, kQwen3, kMistral};

namespace detail {

/// All but max_position_embeddings and value_head must be equal.
void require_same_shape(const TransformerConfig& model, TransformerConfig source,
                        const std::string& where);

}  // namespace detail

/// Reads the text of a Hugging Face config.json of a Llama, Qwen2, Qwen3 or Mistral model, as
/// transformers 4 (rope_theta, rope_scaling, torch_dtype) or 5 (rope_parameters, dtype) writes it.
///
/// Required: model_type, vocab_size, hidden_size, intermediate_size, num_hidden_layers,
/// num_attention_heads, max_position_embeddings, rms_norm_eps, num_key_value_heads (but for Llama:
/// num_attention_heads). Missing or null entries that Hugging Face documents defaults for take
/// them: head_dim = hidden_size / num_attention_heads (which must divide; Qwen3: 128), rope_theta =
/// 10000, no scaling, tie_word_embeddings = false, hidden_act = "silu", no biases but Qwen2's. Our
/// own entry value_head = false says whether there is a critic.
///
/// Nothing is ignored that could change what is computed. Errors: Error naming the entry, and its
/// value, for a wrong type, a missing entry, a misspelt one, sizes that do not fit each other,
/// features the transformer lacks, and every entry that is neither read nor known to have no
/// effect.
TransformerConfig parse_config_json(const std::string& text, const std::string& where);

/// Reads a config.json file. Errors: as `parse_config_json`, or when the file cannot be read.
TransformerConfig read_config_json(const std::filesystem::path& path);

/// The text of a config.json that Hugging Face and `parse_config_json` read back to the same
/// values.
///
/// The family is Qwen2 with qkv_bias, Qwen3 with qk_norm, else Llama. `torch_dtype` is the element
/// type of the weights beside it, e.g. "float32". Deterministic.
/// Errors: Error if the model has both, which no family has.
std::string to_config_json(const TransformerConfig& config,
                           std::string_view torch_dtype = "float32");

/// The same for a model that was loaded from a folder with the config.json `source`: its entries
/// are carried over, and only what changed is replaced: the element type, the context length and
/// whether there is a critic.
///
/// `where` names the source in errors. A source of which nothing changed is returned byte for byte.
/// Errors: as `parse_config_json`; Error naming an entry in which the model differs otherwise.
std::string to_config_json(const TransformerConfig& config, std::string_view torch_dtype,
                           const std::string& source, const std::string& where);

/// Writes a config.json atomically. Errors: as `to_config_json` and `AtomicFile`.
void write_config_json(const std::filesystem::path& path, const TransformerConfig& config,
                       std::string_view torch_dtype = "float32");

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/model/config_json.inl"
#endif
