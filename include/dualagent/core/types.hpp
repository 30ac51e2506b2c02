#pragma once

#include <cstdint>
#include <string_view>

namespace dualagent {

/// Index into a model's vocabulary.
using Token = std::int32_t;

/// Counts the updates of one model's weights; 0 is the model as constructed or loaded.
using WeightVersion = std::uint64_t;

/// Which of the two agents made a token.
enum class AgentRole : std::uint8_t { answerer, summarizer };

inline constexpr std::string_view to_string(AgentRole role) {
  return role == AgentRole::answerer ? "answerer" : "summarizer";
}

}  // namespace dualagent
