#include <cmath>

#include "dualagent/model/generation_config.hpp"
#include "fuzz.hpp"

/// What is accepted can be meant: no token is negative, no number negative, infinite or NaN.
FUZZ_TARGET(text) {
  const dualagent::GenerationConfig config =
      dualagent::parse_generation_config(std::string(text), "input");
  for (const dualagent::Token token : config.eos_token_ids)
    fuzz::require(token >= 0, "a negative stop token");
  for (const auto& token : {config.bos_token_id, config.pad_token_id})
    fuzz::require(!token || *token >= 0, "a negative token");
  for (const auto& number :
       {config.temperature, config.top_p, config.min_p, config.repetition_penalty})
    fuzz::require(!number || (std::isfinite(*number) && *number >= 0.0), "an impossible number");
}
