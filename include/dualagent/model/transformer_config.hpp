#pragma once

#include <cstddef>
#include <string>

#include "dualagent/core/error.hpp"

namespace dualagent {

/// Shape of a Llama-family transformer; names and meanings as in Hugging Face's config.json.
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
  double rms_norm_eps = 1e-5;
  bool tie_word_embeddings = false;
  /// A critic: one number per token, from the same hidden state as the logits.
  bool value_head = false;

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
            "num_attention_heads is no multiple of num_key_value_heads",
            "Query heads share key-value heads evenly");
    require(head_dim > 0 && head_dim % 2 == 0, "head_dim is 0 or odd",
            "Rotary embeddings need an even head_dim");
    require(intermediate_size > 0, "intermediate_size is 0", "Set the feed-forward width");
    require(max_position_embeddings > 0, "max_position_embeddings is 0", "Set the context length");
    require(rope_theta > 0.0, "rope_theta is not positive", "10000 is the common value");
    require(rms_norm_eps > 0.0, "rms_norm_eps is not positive", "1e-5 is the common value");
  }
};

}  // namespace dualagent
