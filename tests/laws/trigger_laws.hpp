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
  for (const std::size_t tokens : {0, 1, 79, 80, 81, 2047, 2048, 2049, 4096})
    for (const std::size_t max_tokens : {1, 128, 4096})
      for (const std::size_t turns : {0, 1, 3, 4, 5, 64})
        for (const std::size_t summaries : {0, 1, 7})
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
