#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "dualagent/model/transformer.hpp"

/// A small model with rows of ragged lengths for it, and a loss of all that it predicts.

/// Nothing is a multiple of anything else: tails of vectors and of row blocks are in use. The
/// untied shape has a critic.
inline dualagent::TransformerConfig ragged_shape(bool tied) {
  return {.vocab_size = 29,
          .hidden_size = 18,
          .num_hidden_layers = 2,
          .num_attention_heads = 6,
          .num_key_value_heads = 2,
          .head_dim = 6,
          .intermediate_size = 21,
          .max_position_embeddings = 64,
          .rope_theta = 500.0,
          .tie_word_embeddings = tied,
          .value_head = !tied};
}

inline dualagent::TransformerOptions with_threads(std::size_t threads, std::size_t parts,
                                                  std::uint64_t seed = 3) {
  return {.pool = std::make_shared<dualagent::ThreadPool>(threads),
          .gradient_parts = parts,
          .seed = seed};
}

/// A model whose critic, biases and norms of heads say something.
template <class Scalar>
dualagent::Transformer<Scalar> odd_model(const dualagent::TransformerConfig& config,
                                         dualagent::TransformerOptions options) {
  dualagent::Transformer<Scalar> model(config, std::move(options));
  const dualagent::RandomStream random = dualagent::RandomStream::from_seed(17);
  for (std::size_t k = 0; k < model.tensors().size(); ++k) {
    const dualagent::TensorInfo& tensor = model.tensors()[k];
    const auto ends_with = [&](const char* end) { return tensor.name.ends_with(end); };
    if (!ends_with("value_head.weight") && !ends_with(".bias") && !ends_with("_norm.weight"))
      continue;
    for (std::size_t i = 0; i < tensor.size; ++i)
      model.parameters()[tensor.offset + i] += static_cast<Scalar>(0.3 * random.child(k).normal(i));
  }
  model.weights_changed();
  return model;
}

/// Rows of the given lengths with random tokens; about a third of the tokens is trained.
inline dualagent::PackedBatch ragged_batch(const std::vector<std::size_t>& lengths,
                                           float temperature, std::uint64_t seed = 1) {
  const dualagent::RandomStream random = dualagent::RandomStream::from_seed(seed);
  dualagent::PackedBatch batch;
  batch.temperature = temperature;
  for (std::size_t r = 0; r < lengths.size(); ++r) {
    const dualagent::RandomStream stream = random.child(r);
    std::vector<dualagent::Token> row(lengths[r]);
    for (std::size_t i = 0; i < row.size(); ++i)
      row[i] = static_cast<dualagent::Token>(stream.below(i, 29));
    const std::size_t begin = batch.append_row(row, static_cast<std::uint32_t>(r));
    for (std::size_t i = 1; i < row.size(); ++i)
      if (stream.below(1000 + i, 3) == 0)
        batch.loss_weight[begin + i] = static_cast<float>(stream.normal(2000 + i));
  }
  return batch;
}

/// A loss that bends in all arguments.
inline constexpr auto curved_loss = [](const dualagent::loops::TokenColumns&, std::size_t t,
                                       const dualagent::TokenPrediction& now) {
  const double a = 0.7 + 0.1 * static_cast<double>(t % 5);
  const auto [log_prob, entropy, value] = now;
  return dualagent::TokenLossGradient{
      a * log_prob + 0.3 * log_prob * log_prob - 0.5 * entropy + 0.2 * log_prob * entropy +
          0.4 * (value - a) * (value - a),
      a + 0.6 * log_prob + 0.2 * entropy, -0.5 + 0.2 * log_prob, 0.8 * (value - a)};
};

/// Of the sum of `curved_loss` over the trained tokens.
template <class Scalar>
std::vector<Scalar> gradients_of(dualagent::Transformer<Scalar>& model,
                                 const dualagent::PackedBatch& batch) {
  dualagent::TokenOutputs outputs;
  outputs.resize(batch.size());
  model.zero_gradients();
  model.backward(batch, curved_loss, outputs);
  return {model.gradients().begin(), model.gradients().end()};
}
