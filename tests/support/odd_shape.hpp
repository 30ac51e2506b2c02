#pragma once

#include "dualagent/model/transformer_config.hpp"

/// A small model none of whose extents fills whole vectors: 37 tokens, three query heads to a
/// key-value head.
inline dualagent::TransformerConfig odd_shape(bool tied = true) {
  return {.vocab_size = 37,
          .hidden_size = 22,
          .num_hidden_layers = 3,
          .num_attention_heads = 6,
          .num_key_value_heads = 2,
          .head_dim = 6,
          .intermediate_size = 27,
          .max_position_embeddings = 160,
          .tie_word_embeddings = tied};
}
