#pragma once

#include <cstddef>
#include <string>

#include "dualagent/core/error.hpp"
#include "dualagent/model/backend.hpp"
#include "dualagent/model/transformer_config.hpp"
#include "dualagent/trace/batch_columns.hpp"

namespace dualagent::detail {

inline std::string place_of(const GenerationRequest& request) {
  return "sequence " + std::to_string(request.sequence);
}

/// Errors: Error naming the sequence where a model of such a config cannot continue the context.
inline void check_request(const GenerationRequest& request, const TransformerConfig& config) {
  const std::size_t most = config.max_position_embeddings;
  const std::string where = place_of(request);
  if (request.context.empty())
    throw Error("a generation needs a context of at least one token", where,
                "Begin every context with a start token");
  if (request.context.size() >= most)
    throw Error("a context of " + std::to_string(request.context.size()) +
                    " tokens leaves no room in a model of " + std::to_string(most),
                where, "Summarize earlier, or raise max_position_embeddings");
  if (request.stop == nullptr || request.stop->max_new_tokens == 0)
    throw Error("a generation needs a stop rule with max_new_tokens >= 1", where);
  request.sampling.validate(where);
  for (const Token token : request.context)
    if (token < 0 || static_cast<std::size_t>(token) >= config.vocab_size)
      throw Error("token " + std::to_string(token) + " is not in the vocabulary of " +
                      std::to_string(config.vocab_size),
                  where);
}

/// Errors: Error naming the row or the token where a model of such a config cannot read the batch.
inline void check_batch(const BatchColumns& batch, const TransformerConfig& config) {
  const std::size_t most = config.max_position_embeddings;
  for (std::size_t r = 0; r < batch.rows; ++r) {
    const auto where = [&] {
      return "row " + std::to_string(r) + " of the batch, rollout " +
             std::to_string(batch.rollout[r]);
    };
    if (batch.row_size(r) > most)
      throw Error("a row of " + std::to_string(batch.row_size(r)) +
                      " tokens is longer than the model's " + std::to_string(most),
                  where(), "Summarize earlier, or raise max_position_embeddings");
    if (batch.loss_weight[batch.row_begin[r]] != 0.0F)
      throw Error("the first token of a row cannot be trained: nothing predicts it", where());
  }
  for (std::size_t t = 0; t < batch.size(); ++t)
    if (batch.token[t] < 0 || static_cast<std::size_t>(batch.token[t]) >= config.vocab_size)
      throw Error("token " + std::to_string(batch.token[t]) + " is not in the vocabulary of " +
                      std::to_string(config.vocab_size),
                  "token " + std::to_string(t) + " of the batch");
}

}  // namespace dualagent::detail
