#pragma once

#include <span>
#include <vector>

#include "support/toy_protocol.hpp"

/// Prompt 1: always answers 5. Prompt 2: answers 5 or 6. Prompt 3: now and then is cut by the turn
/// limit, else answers 5. May call a tool first, so that lengths and numbers of segments differ.
inline std::vector<dualagent::Token> answer_or_call(std::span<const dualagent::Token> context,
                                                    dualagent::AgentRole agent,
                                                    const dualagent::RandomStream& random) {
  if (agent == dualagent::AgentRole::summarizer) return {toy::summary, context[1], toy::end};
  const bool calls = random.below(0, context[1] == toy::digit(3) ? 2 : 3) == 0;
  if (calls) return {toy::call, context[1], toy::end};
  const bool wrong = context[1] == toy::digit(2) && random.below(1, 2) == 0;
  return {toy::answer, toy::digit(wrong ? 6 : 5), toy::end};
}
