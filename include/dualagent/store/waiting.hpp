#pragma once

#include <concepts>
#include <span>
#include <utility>

#include "dualagent/store/trajectory_store.hpp"

namespace dualagent {

/// What a caller does between two attempts: sleep, and say whether to go on; false gives up.
/// Example: [&] { std::this_thread::sleep_for(50ms); return !stop_was_requested(); }
template <class P>
concept StorePause = requires(P& pause) {
  { pause() } -> std::convertible_to<bool>;
};

/// Commits once the store has room: back-pressure that makes the writer wait. Nothing is stored
/// unless the returned status is `stored`; else `pause` gave up.
template <class Store, StorePause Pause>
CommitResult commit_when_room(Store& store, std::span<const TrainingRollout> rollouts,
                              Pause&& pause) {
  static_assert(check_trajectory_store<Store>());
  CommitResult result = store.commit(rollouts);
  while (result.status != CommitStatus::stored && pause()) result = store.commit(rollouts);
  return result;
}

/// Claims once there is a group to claim; without one if `pause` gave up. Counts what all attempts
/// dropped and put aside.
template <class Store, StorePause Pause>
ClaimResult claim_when_ready(Store& store, const ClaimRequest& request, Pause&& pause) {
  static_assert(check_trajectory_store<Store>());
  ClaimResult result = store.claim(request);
  while (result.groups.empty() && pause()) {
    ClaimResult next = store.claim(request);
    next.dropped_groups += result.dropped_groups;
    next.damaged_groups += result.damaged_groups;
    result = std::move(next);
  }
  return result;
}

}  // namespace dualagent
