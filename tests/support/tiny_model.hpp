#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "dualagent/model/backend.hpp"
#include "dualagent/model/transformer_config.hpp"

/// Two named tensors over one flat buffer, and nothing else that a model has.
template <class Scalar>
struct TinyModel {
  std::vector<Scalar> values;
  std::vector<dualagent::TensorInfo> infos;
  int versions = 0;

  explicit TinyModel(std::size_t vocab_size = 3)
      : values(vocab_size * 2 + 2, Scalar{0}),
        infos{{"model.embed_tokens.weight", {vocab_size, 2}, 0, vocab_size * 2},
              {"model.norm.weight", {2}, vocab_size * 2, 2}} {}

  std::span<const dualagent::TensorInfo> tensors() const { return infos; }
  std::span<Scalar> parameters() { return values; }
  void weights_changed() { ++versions; }
  dualagent::TransformerConfig config() const {
    dualagent::TransformerConfig config;
    config.vocab_size = infos[0].shape[0];
    config.hidden_size = 2;
    config.intermediate_size = 4;
    config.num_hidden_layers = 1;
    config.num_attention_heads = 1;
    config.num_key_value_heads = 1;
    config.head_dim = 2;
    config.max_position_embeddings = 16;
    config.rms_norm_eps = 1e-5F;
    return config;
  }
};

inline TinyModel<float> filled_model() {
  TinyModel<float> model;
  for (std::size_t i = 0; i < model.values.size(); ++i)
    model.values[i] = 0.1F * static_cast<float>(i) - 0.3F;
  return model;
}
