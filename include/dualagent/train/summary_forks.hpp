#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "dualagent/core/check.hpp"
#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/random.hpp"
#include "dualagent/rollout/scheduler.hpp"

namespace dualagent {

/// True groups of summaries: some histories are forked where a summary was asked for, and each fork
/// samples a summary of the same history and goes on from it to the end.
///
/// The rollouts that share a history are compared with one another: from the summary on, the
/// advantage of a token comes from the outcomes of that history's own continuations, before it from
/// the outcomes of the task's rollouts. A fork's history is given, so it is not trained again;
/// forks are not counted among the task's rollouts.
struct SummaryForks {
  std::size_t continuations = 1;        ///< of one history, the first one included; 1: no forks
  std::size_t histories_per_group = 1;  ///< of different rollouts, chosen at random

  void validate() const;
};

/// A history that was forked, and its forks.
struct ForkGroup {
  std::size_t source = 0;      ///< index of the rollout whose history it is
  std::size_t summary = 0;     ///< index in its `summary_requests`
  std::size_t first_fork = 0;  ///< index of the first fork
};

/// Whether a span of a forked rollout lies after the fork.
bool is_after_fork(const SummaryRequest& fork, std::size_t segment, const Span& span);

/// Chooses which histories of one group are forked: at most one of each rollout, at a summary drawn
/// at random. `first` is the index of the group's first rollout; aborted rollouts and those without
/// a summary are passed over. Determinism: depends on the rollouts and `random` only.
std::vector<ForkGroup> choose_forks(std::span<const Rollout> group, std::size_t first,
                                    const SummaryForks& options, const RandomStream& random);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/train/summary_forks.inl"
#endif
