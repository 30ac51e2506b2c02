#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "dualagent/model/policy_head.hpp"
#include "dualagent/model/transformer.hpp"
#include "dualagent/model/transformer_chunk.hpp"
#include "dualagent/model/transformer_ops.hpp"
#include "dualagent/model/transformer_weights.hpp"
#include "laws/backend_laws.hpp"

/// What a model that was read from a directory computes, for comparisons with transformers.
namespace checkpoint_numbers {

using namespace dualagent;

/// Logits after the positions from `first` on of a row of tokens, [positions, vocab]; with an
/// adapter where one is given.
inline std::vector<std::vector<float>> logits_of(const TransformerWeights<float>& weights,
                                                 const detail::RotaryTable<float>& rotary,
                                                 std::span<const Token> tokens,
                                                 std::size_t first = 0,
                                                 const detail::Adapter<float>* adapter = nullptr) {
  detail::Chunk<float> chunk(weights, rotary, adapter);
  chunk.add(tokens);
  chunk.forward(detail::Kept::all);
  const std::size_t d = weights.config().hidden_size;
  const std::size_t rows = tokens.size() - first;
  std::vector<float> normed(rows * d);
  for (std::size_t r = 0; r < rows; ++r)
    detail::rms_norm(d, chunk.output() + (first + r) * d, weights.at(weights.final_norm()),
                     static_cast<float>(weights.config().rms_norm_eps), normed.data() + r * d);
  detail::SerialExecutor alone;
  detail::HeadChunk<float> head;
  head.forward(alone, dense(std::as_const(normed).data(), rows, d),
               {dense(weights.at(weights.head().weight()), weights.head().out(), d),
                weights.head().transposed()});
  std::vector<std::vector<float>> logits;
  for (std::size_t r = 0; r < rows; ++r)
    logits.emplace_back(head.logits().row(r), head.logits().row(r) + weights.config().vocab_size);
  return logits;
}

/// A batch of whole rows, every token but the first trained with one weight; weights sum to 1.
inline PackedBatch token_mean_batch(const std::vector<std::vector<Token>>& rows) {
  PackedBatch batch;
  std::size_t trained = 0;
  for (const std::vector<Token>& row : rows) trained += row.size() - 1;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const std::size_t begin = batch.append_row(rows[r], static_cast<std::uint32_t>(r));
    for (std::size_t i = 1; i < rows[r].size(); ++i)
      batch.loss_weight[begin + i] = 1.0F / static_cast<float>(trained);
  }
  return batch;
}

struct NegativeLogProb {
  template <class T>
  constexpr kernels::TokenGradient<T> operator()(const loops::TokenColumns&, std::size_t,
                                                 const kernels::TokenPrediction<T>& now) const {
    return {-now.log_prob, T(-1), T(0), T(0)};
  }
};

/// Cross-entropy of the batch; adds its gradients to the model's.
template <class Model>
double cross_entropy_with_gradients(Model& model, const PackedBatch& batch) {
  TokenOutputs outputs;
  outputs.resize(batch.size());
  model.backward(batch, NegativeLogProb{}, outputs);
  double sum = 0;
  for (std::size_t t = 0; t < batch.size(); ++t)
    sum += static_cast<double>(batch.loss_weight[t]) * outputs.loss[t];
  return sum;
}

/// Largest |log ratio| between what is sampled after the prompts and what a training pass over the
/// same tokens says, at temperature 1.
template <class Model>
double largest_log_ratio(Model& model, const std::vector<std::vector<Token>>& prompts,
                         std::size_t new_tokens) {
  const StopRule stop{.stop_tokens = {}, .max_new_tokens = new_tokens, .stop_early = {}};
  std::vector<GenerationRequest> requests;
  for (std::size_t p = 0; p < prompts.size(); ++p)
    requests.push_back({.sequence = p,
                        .context = prompts[p],
                        .agent = AgentRole::answerer,
                        .sampling = {},
                        .stop = &stop,
                        .random = RandomStream::from_seed(5).child(p)});
  const laws::Generations sampled = laws::generate(model, requests);
  const PackedBatch batch = laws::rows_of(requests, sampled);
  TokenOutputs outputs = laws::outputs_for(batch);
  model.score(batch, outputs);
  double largest = 0;
  for (std::size_t t = 0; t < batch.size(); ++t)
    if (batch.loss_weight[t] != 0.0F)
      largest = std::max(
          largest, std::abs(outputs.log_prob[t] - static_cast<double>(batch.old_log_prob[t])));
  return largest;
}

}  // namespace checkpoint_numbers
