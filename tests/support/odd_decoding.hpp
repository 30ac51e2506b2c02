#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "dualagent/model/transformer.hpp"
#include "support/odd_shape.hpp"

inline constexpr std::size_t kVocab = 37;  // of `odd_shape`

/// A model of `odd_shape`.
template <class Scalar = float>
dualagent::Transformer<Scalar> make_model(std::size_t threads = 1, std::uint64_t seed = 3) {
  return dualagent::Transformer<Scalar>(
      odd_shape(), {.pool = std::make_shared<dualagent::ThreadPool>(threads), .seed = seed});
}

/// A request of sequence 1. Holds references to its context and rule.
inline dualagent::GenerationRequest request_for(std::span<const dualagent::Token> context,
                                                const dualagent::StopRule& stop,
                                                float temperature = 1.0F, std::uint64_t seed = 1) {
  return {.sequence = 1,
          .context = context,
          .agent = dualagent::AgentRole::answerer,
          .sampling = {.temperature = temperature},
          .stop = &stop,
          .random = dualagent::RandomStream::from_seed(seed)};
}

/// Stops after `count` tokens, and for nothing else.
inline dualagent::StopRule tokens(std::size_t count) {
  return {.stop_tokens = {}, .max_new_tokens = count, .stop_early = {}};
}
