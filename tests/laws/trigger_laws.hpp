#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "dualagent/summary/trigger.hpp"

/// What every SummaryTrigger promises; run it on your own.
namespace laws {

using Violations = std::vector<std::string>;

/// Statuses around the sizes at which triggers usually change their minds.
inline std::vector<dualagent::ContextStatus> many_statuses() {
  std::vector<dualagent::ContextStatus> all;
  for (const std::size_t tokens : {0u, 1u, 79u, 80u, 81u, 2047u, 2048u, 2049u, 4096u})
    for (const std::size_t max_tokens : {1u, 128u, 4096u})
      for (const std::size_t turns : {0u, 1u, 3u, 4u, 5u, 64u})
        for (const std::size_t summaries : {0u, 1u, 7u})
          all.push_back({tokens, max_tokens, turns, summaries});
  return all;
}

/// A trigger is pure: the answer depends on nothing but the status, so that all rollouts of a group
/// are treated alike. One sentence per violation.
template <dualagent::SummaryTrigger Trigger>
Violations of_trigger(const Trigger& trigger) {
  const std::vector<dualagent::ContextStatus> statuses = many_statuses();
  std::vector<bool> answers;
  for (const dualagent::ContextStatus& status : statuses)
    answers.push_back(trigger.should_summarize(status));
  const Trigger copy = trigger;
  Violations found;
  for (std::size_t i = statuses.size(); i-- > 0;) {  // another order, a copy
    const std::string where = "status " + std::to_string(i);
    if (trigger.should_summarize(statuses[i]) != answers[i])
      found.push_back("the trigger changes its mind about " + where);
    if (copy.should_summarize(statuses[i]) != answers[i])
      found.push_back("a copy of the trigger thinks otherwise about " + where);
  }
  return found;
}

}  // namespace laws
