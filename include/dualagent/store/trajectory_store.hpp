#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dualagent/core/check.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/store/store_clock.hpp"
#include "dualagent/store/training_rollout.hpp"

namespace dualagent {

/// How much a store takes. What has been acknowledged or dropped is not counted.
struct StoreLimits {
  /// A group counts with all its rollouts from its first one on, so that a group which has begun
  /// always finds room for its other rollouts.
  std::size_t max_rollouts = 65'536;
  /// Of encoded rollouts, not of the file. Reaching it refuses new groups; rollouts of groups that
  /// have begun may exceed it.
  std::size_t max_bytes = std::size_t{1} << 30;

  void validate() const {
    require_option(max_rollouts, kAtLeastOne, "max_rollouts", "StoreLimits");
    require_option(max_bytes, kAtLeastOne, "max_bytes", "StoreLimits");
  }
};

/// What became of a commit. `full` and `disk_full`: nothing of the call was stored; commit the same
/// again once a reader has acknowledged something or the disk has room.
enum class CommitStatus : std::uint8_t { stored, full, disk_full };

/// The answer to a commit; of a call that was refused, all counts are 0.
struct CommitResult {
  CommitStatus status = CommitStatus::stored;
  std::size_t stored = 0;    ///< rollouts that are new
  std::size_t repeated = 0;  ///< rollouts whose key was committed before; the first one stays
  std::size_t late = 0;      ///< rollouts of groups that had been dropped

  friend bool operator==(const CommitResult&, const CommitResult&) = default;
};

/// What a claim does with groups that are older than the reader trains on.
enum class StalePolicy : std::uint8_t {
  drop,      ///< they leave the store and are counted, incomplete ones too
  hand_out,  ///< they are claimed like others and marked; incomplete ones stay, and count
};

/// What a reader asks for.
struct ClaimRequest {
  std::string run{};     ///< RolloutSource::run; groups of other runs are not touched
  std::string reader{};  ///< who claims; no two readers share a name, see `give_back_all`
  std::size_t max_groups = 1;
  /// Of encoded rollouts; one group is handed out whatever it has.
  std::size_t max_bytes = std::size_t{64} << 20U;
  /// Only groups of this step; else of all steps.
  std::optional<std::uint64_t> step{};
  /// The oldest weights that the reader still trains on: a group is stale if any token of it was
  /// sampled with older ones.
  AgentVersions oldest{};
  StalePolicy stale = StalePolicy::drop;
  /// After that long without `acknowledge` or `extend` another reader may claim the group.
  double lease_seconds = 600;

  void validate() const {
    require_option(max_groups, kAtLeastOne, "max_groups", "ClaimRequest");
    require_option(max_bytes, kAtLeastOne, "max_bytes", "ClaimRequest");
    require_option(lease_seconds, kLeaseSeconds, "lease_seconds", "ClaimRequest");
    if (run.empty() || reader.empty())
      throw Error("a claim has no run or no reader", "ClaimRequest",
                  "Set ClaimRequest::run and ClaimRequest::reader");
    if (std::max({oldest.answerer, oldest.summarizer, step.value_or(0)}) >
        TrainingAccess::kMaxNumber)
      throw Error("a claim's step or oldest version is above 2^62", "ClaimRequest",
                  "Subtract from a version only what it has");
  }
};

/// The right to one group, until it is acknowledged, given back or claimed by another reader.
struct Lease {
  std::uint64_t number = 0;  ///< never used again by the same store
  friend bool operator==(const Lease&, const Lease&) = default;
};

/// All rollouts of one group.
struct ClaimedGroup {
  Lease lease{};
  std::vector<TrainingRollout> rollouts{};  ///< in order of member
  bool stale = false;                       ///< older than ClaimRequest::oldest (hand_out only)
  std::size_t deliveries = 1;               ///< how often it has been claimed, this time included
};

struct ClaimResult {
  std::vector<ClaimedGroup> groups{};  ///< in the order in which the groups became complete
  std::size_t dropped_groups = 0;      ///< stale ones that this call dropped
  /// Groups that this call found damaged and put aside: they keep their bytes and are not handed
  /// out, until their writer commits them again as if they were new.
  std::size_t damaged_groups = 0;
};

/// What became of a lease.
enum class LeaseStatus : std::uint8_t {
  done,      ///< as asked
  repeated,  ///< this lease had been acknowledged before
  lost,      ///< another reader claimed the group, or it was given back, dropped or forgotten
};

/// The store itself failed, not the call: a disk, a file, a server that is gone. The call has not
/// happened or, where its answer was lost, perhaps: make the same one again.
class StoreFault : public Error {
 public:
  using Error::Error;
};

/// What a store holds, and what has happened since it was made.
struct StoreStats {
  std::size_t rollouts = 0;  ///< as StoreLimits::max_rollouts counts
  std::size_t bytes = 0;
  std::size_t incomplete_groups = 0;
  std::size_t ready_groups = 0;    ///< complete, and claimed by nobody whose lease still runs
  std::size_t claimed_groups = 0;  ///< with a lease that still runs
  std::size_t damaged_groups = 0;
  std::uint64_t stored_rollouts = 0;  ///< ever, as all below
  std::uint64_t repeated_rollouts = 0;
  std::uint64_t late_rollouts = 0;
  std::uint64_t deliveries = 0;  ///< groups handed out, repeated ones included
  std::uint64_t acknowledged_groups = 0;
  std::uint64_t dropped_groups = 0;

  friend bool operator==(const StoreStats&, const StoreStats&) = default;
};

namespace detail {
template <class S>
concept HasStoreCommit = requires(S& s, std::span<const TrainingRollout> rollouts) {
  { s.commit(rollouts) } -> std::same_as<CommitResult>;
};
template <class S>
concept HasStoreClaim = requires(S& s, const ClaimRequest& request) {
  { s.claim(request) } -> std::same_as<ClaimResult>;
};
template <class S>
concept HasStoreLeases = requires(S& s, std::span<const Lease> leases, const std::string& reader) {
  { s.acknowledge(leases) } -> std::same_as<std::vector<LeaseStatus>>;
  { s.extend(leases, 1.0) } -> std::same_as<std::vector<LeaseStatus>>;
  { s.give_back(leases) } -> std::same_as<std::vector<LeaseStatus>>;
  { s.give_back_all(reader) } -> std::same_as<std::size_t>;
};
template <class S>
concept HasStoreUpkeep = requires(S& s, const std::string& run) {
  s.forget(run);
  { s.stats() } -> std::same_as<StoreStats>;
};

/// Refuses what is not a training rollout, in one sentence.
template <class Rollouts>
consteval void refuse_commit() {
  static_assert(sizeof(Rollouts) == 0,
                "dualagent: a store takes TrainingRollouts only, which play_training_rollouts "
                "makes; rollouts of an evaluation are not trained on; see docs/store.md");
}
template <class Rollouts>
concept NotForTraining = !std::convertible_to<const Rollouts&, std::span<const TrainingRollout>>;
}  // namespace detail

/// Where rollouts wait between those who play them and those who train on them.
///
/// Syntactic requirements on a store s:
/// 1. `s.commit(std::span<const TrainingRollout>)` returns CommitResult.
/// 2. `s.claim(const ClaimRequest&)` returns ClaimResult.
/// 3. `s.acknowledge(leases)`, `s.give_back(leases)` and `s.extend(leases, seconds)` with a
///    std::span<const Lease> return std::vector<LeaseStatus>, one each; `s.give_back_all(reader)`
///    returns how many groups the reader had claimed.
/// 4. `s.forget(run)` removes all of a run; `s.stats()` returns StoreStats.
/// Semantic requirements (tests/laws/store_laws.hpp holds a store to them):
/// 1. A commit is stored as a whole or not at all. A key (run, writer, step, group, member) is
///    stored once: a repeated commit counts as `repeated`, also after its group was acknowledged.
///    A writer whose reply was lost therefore commits the same again. A complete group takes
///    nothing more: a writer that plays it anew, perhaps with another number of forks, commits
///    what counts as `repeated`.
/// 2. A group is handed out when all its rollouts are there, as a whole, in the order in which
///    groups became complete; one that was given back or whose lease ran out keeps its place. No
///    writer and no reader is preferred: a writer's share is what it commits.
/// 3. At any time one lease of a group is good: the last one handed out. It is good until it is
///    acknowledged or given back or another reader claims the group, which nobody can before its
///    time is over. So a group is acknowledged once.
/// 4. A full store refuses with a status, not with an exception.
/// 5. All calls may be made from several threads.
/// Errors: StoreFault where the store fails. Error for what cannot be meant: as `validate` of the
/// limits and requests, rollouts of one group that disagree on its size, and a call that would not
/// fit into the empty store.
///
/// Example:
///   store.commit(play_training_rollouts(scheduler, tasks, reward, {.source = {"run", "a", 0}}));
///   for (ClaimedGroup& group : store.claim({.run = "run", .reader = "learner"}).groups)
///     if (train_on(group.rollouts)) store.acknowledge(std::span(&group.lease, 1));
template <class S>
concept TrajectoryStore = detail::HasStoreCommit<S> && detail::HasStoreClaim<S> &&
    detail::HasStoreLeases<S> && detail::HasStoreUpkeep<S>;

/// One readable sentence for each part of `TrajectoryStore` that S lacks.
template <class S>
consteval bool check_trajectory_store() {
  static_assert(detail::HasStoreCommit<S>,
                "dualagent: a TrajectoryStore needs 'CommitResult commit(std::span<const "
                "TrainingRollout>)'; see docs/store.md#a-store-of-your-own");
  static_assert(detail::HasStoreClaim<S>,
                "dualagent: a TrajectoryStore needs 'ClaimResult claim(const ClaimRequest&)'; see "
                "docs/store.md#a-store-of-your-own");
  static_assert(
      detail::HasStoreLeases<S>,
      "dualagent: a TrajectoryStore needs 'std::vector<LeaseStatus> acknowledge(leases)', "
      "'give_back(leases)' and 'extend(leases, seconds)' with a std::span<const Lease>, "
      "and 'std::size_t give_back_all(reader)'; see docs/store.md#a-store-of-your-own");
  static_assert(detail::HasStoreUpkeep<S>,
                "dualagent: a TrajectoryStore needs 'void forget(run)' and 'StoreStats stats()'; "
                "see docs/store.md#a-store-of-your-own");
  return true;
}

}  // namespace dualagent
