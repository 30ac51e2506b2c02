#pragma once

/// Definitions of dual_agent.hpp; see core/compiled.hpp.

#include "dualagent/rollout/dual_agent.hpp"

namespace dualagent::detail {

DUALAGENT_INLINE bool was_cut(FinishReason finish) {
  return finish == FinishReason::length || finish == FinishReason::context_full;
}

DUALAGENT_INLINE std::vector<std::string> texts_of(const std::vector<ToolResult>& results) {
  std::vector<std::string> texts;
  texts.reserve(results.size());
  for (const ToolResult& result : results) texts.push_back(result.text);
  return texts;
}

DUALAGENT_INLINE void require_room_for_a_turn(const EpisodeChannel& channel, std::size_t opening) {
  if (channel.room() > opening) return;
  throw Error("the prompt has " + std::to_string(channel.context().size()) +
                  " tokens and leaves no room for a turn in a context window of " +
                  std::to_string(channel.max_context_tokens()),
              place_of(channel.rollout()),
              "Raise RolloutLimits::max_context_tokens, or leave the task out");
}

}  // namespace dualagent::detail
