#pragma once

#include <cstddef>
#include <string>

#include "dualagent/core/check.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/model/rope_scaling.hpp"

namespace dualagent {

/// Shape of a transformer of Llama's kind; names and meanings as in Hugging Face's config.json.
struct TransformerConfig {
  std::size_t vocab_size = 0;
  std::size_t hidden_size = 0;
  std::size_t num_hidden_layers = 0;
  std::size_t num_attention_heads = 0;
  std::size_t num_key_value_heads = 0;
  std::size_t head_dim = 0;
  std::size_t intermediate_size = 0;
  std::size_t max_position_embeddings = 0;
  double rope_theta = 10000.0;
  RopeScaling rope_scaling = {};
  double rms_norm_eps = 1e-5;
  bool tie_word_embeddings = false;
  bool qkv_bias = false;  ///< queries, keys and values have biases, as in Qwen2
  bool qk_norm = false;   ///< every head's queries and keys are normed (RMSNorm), as in Qwen3
  /// A critic: one number per token, from the same hidden state as the logits.
  bool value_head = false;

  /// Calls `visit(name, value)` for every field, those of `rope_scaling` included; flags are 0
  /// or 1.
  template <class Visitor>
  void for_each(Visitor&& visit) const {
    const auto say = [&](const char* name, auto value) { visit(name, static_cast<double>(value)); };
    say("vocab_size", vocab_size);
    say("hidden_size", hidden_size);
    say("num_hidden_layers", num_hidden_layers);
    say("num_attention_heads", num_attention_heads);
    say("num_key_value_heads", num_key_value_heads);
    say("head_dim", head_dim);
    say("intermediate_size", intermediate_size);
    say("max_position_embeddings", max_position_embeddings);
    say("rope_theta", rope_theta);
    say("rope_scaling.type", rope_scaling.type);
    say("rope_scaling.factor", rope_scaling.factor);
    say("rope_scaling.low_freq_factor", rope_scaling.low_freq_factor);
    say("rope_scaling.high_freq_factor", rope_scaling.high_freq_factor);
    say("rope_scaling.original_max_position_embeddings",
        rope_scaling.original_max_position_embeddings);
    say("rms_norm_eps", rms_norm_eps);
    say("tie_word_embeddings", tie_word_embeddings);
    say("qkv_bias", qkv_bias);
    say("qk_norm", qk_norm);
    say("value_head", value_head);
  }

  /// Errors: names the first field that no model can have.
  void validate() const {
    const auto require = [](bool holds, const char* field, const char* remedy) {
      if (!holds)
        throw Error(std::string("the model shape is impossible: ") + field, "TransformerConfig",
                    remedy);
    };
    require(vocab_size > 0, "vocab_size is 0", "Set it to the number of tokens");
    require(hidden_size > 0, "hidden_size is 0", "Set the model width");
    require(num_hidden_layers > 0, "num_hidden_layers is 0", "Use at least one layer");
    require(num_attention_heads > 0, "num_attention_heads is 0", "Use at least one head");
    require(num_key_value_heads > 0 && num_attention_heads % num_key_value_heads == 0,
            "num_attention_heads is not a multiple of num_key_value_heads",
            "Query heads share key-value heads evenly");
    require(head_dim > 0 && head_dim % 2 == 0, "head_dim is 0 or odd",
            "Rotary embeddings need an even head_dim");
    require(intermediate_size > 0, "intermediate_size is 0", "Set the feed-forward width");
    require(max_position_embeddings > 0, "max_position_embeddings is 0", "Set the context length");
    require(max_position_embeddings <= 100'000'000, "max_position_embeddings is above 10^8",
            "Set the context length: of every position there are cosines and sines in memory");
    require(kPositive.contains(rope_theta), "rope_theta is not a finite number above 0",
            "10000 is the common value");
    rope_scaling.validate();
    require(kPositive.contains(rms_norm_eps), "rms_norm_eps is not a finite number above 0",
            "1e-5 is the common value");
    const auto number = [](std::size_t size) { return static_cast<double>(size); };
    const double layer =
        number(hidden_size) *
        (4.0 * number(num_attention_heads) * number(head_dim) + 3.0 * number(intermediate_size));
    require(
        2.0 * number(hidden_size) * number(vocab_size) + layer * number(num_hidden_layers) < 1e13,
        "more than 10^13 parameters", "Correct the sizes");
  }

  friend bool operator==(const TransformerConfig&, const TransformerConfig&) = default;
};

}  // namespace dualagent
