#pragma once

/// Definitions of summary_forks.hpp; see core/compiled.hpp.

#include "dualagent/train/summary_forks.hpp"

namespace dualagent {

DUALAGENT_INLINE void SummaryForks::validate() const {
  if (continuations == 0)
    throw Error("continuations is 0", "SummaryForks",
                "It counts the first continuation too: 1 means no forks");
  require_option(continuations, kCount, "continuations", "SummaryForks");
  if (continuations > 1 && histories_per_group == 0)
    throw Error("histories_per_group is 0", "SummaryForks",
                "Fork at least 1 history of a group, or set continuations to 1");
}

DUALAGENT_INLINE bool is_after_fork(const SummaryRequest& fork, std::size_t segment,
                                    const Span& span) {
  return segment > fork.segment || (segment == fork.segment && span.begin >= fork.position);
}

DUALAGENT_INLINE std::vector<ForkGroup> choose_forks(std::span<const Rollout> group,
                                                     std::size_t first, const SummaryForks& options,
                                                     const RandomStream& random) {
  std::vector<std::size_t> members;
  for (std::size_t m = 0; m < group.size(); ++m)
    if (group[m].status != RolloutStatus::aborted && !group[m].summary_requests.empty())
      members.push_back(m);
  shuffle(std::span<std::size_t>(members), random.child(0));
  std::vector<ForkGroup> forks;
  for (std::size_t i = 0; i < members.size() && i < options.histories_per_group; ++i) {
    const std::size_t summaries = group[members[i]].summary_requests.size();
    forks.push_back({first + members[i], random.child(1).below(i, summaries)});
  }
  return forks;
}

}  // namespace dualagent
