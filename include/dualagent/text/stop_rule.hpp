#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "dualagent/core/types.hpp"

namespace dualagent {

/// When a generation ends, besides the limit of the model's context.
///
/// `stop_tokens` end it and are part of the result. `stop_early`, where set, sees the tokens of
/// this generation after each one and ends it by returning true: a grammar that is already broken
/// need not be sampled to its end.
struct StopRule {
  std::vector<Token> stop_tokens;
  std::size_t max_new_tokens = 1;  ///< >= 1
  bool (*stop_early)(std::span<const Token> generated) = nullptr;
};

}  // namespace dualagent
