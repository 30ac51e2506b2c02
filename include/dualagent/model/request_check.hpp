#pragma once

#include <cstddef>
#include <string>

#include "dualagent/core/error.hpp"
#include "dualagent/model/backend.hpp"
#include "dualagent/model/transformer_config.hpp"

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

}  // namespace dualagent::detail
