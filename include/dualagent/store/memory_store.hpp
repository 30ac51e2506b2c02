#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "dualagent/core/check.hpp"
#include "dualagent/store/encoded_commit.hpp"
#include "dualagent/store/store_clock.hpp"
#include "dualagent/store/trajectory_store.hpp"

namespace dualagent {

/// A store in this process's memory: for one process that plays and trains in several threads, and
/// for tests. What it holds is lost with the process.
///
/// Of an acknowledged or dropped group its key stays until `forget`, about 200 bytes, so that a
/// repeated commit is known. Errors: as `TrajectoryStore`. Example: MemoryStore store;
class MemoryStore {
 public:
  explicit MemoryStore(StoreLimits limits = {}, StoreClock now = milliseconds_since_1970)
      : limits_(limits), now_(std::move(now)) {
    limits_.validate();
    require_function(now_, "now", "MemoryStore");
  }
  MemoryStore(const MemoryStore&) = delete;
  MemoryStore& operator=(const MemoryStore&) = delete;

  CommitResult commit(std::span<const TrainingRollout> rollouts) {
    std::vector<EncodedRollout> encoded = encode_commit(rollouts);
    const std::lock_guard lock(mutex_);
    if (!has_room(encoded)) return {.status = CommitStatus::full};
    CommitResult result;
    for (EncodedRollout& rollout : encoded) add(std::move(rollout), result);
    totals_.stored_rollouts += result.stored;
    totals_.repeated_rollouts += result.repeated;
    totals_.late_rollouts += result.late;
    return result;
  }
  template <detail::NotForTraining Rollouts>
  CommitResult commit(const Rollouts&) {
    detail::refuse_commit<Rollouts>();
    return {};
  }

  ClaimResult claim(const ClaimRequest& request) {
    request.validate();
    const std::lock_guard lock(mutex_);
    ClaimResult result;
    const std::int64_t now = now_();
    if (request.stale == StalePolicy::drop) result.dropped_groups = drop_stale(request, now);
    std::size_t bytes = 0;
    for (const auto& [place, group] : complete_) {
      if (result.groups.size() == request.max_groups) break;
      const RolloutSource& source = group->first.source;
      if (source.run != request.run || (request.step && source.step != *request.step) ||
          group->second.is_leased(now))
        continue;
      bytes += group->second.bytes;
      if (bytes > request.max_bytes && !result.groups.empty()) break;
      result.groups.push_back(hand_out(*group, request, now));
    }
    totals_.deliveries += result.groups.size();
    return result;
  }

  std::vector<LeaseStatus> acknowledge(std::span<const Lease> leases) {
    return for_each_lease(leases, [&](Stored& group) {
      remove(group, State::acknowledged);
      ++totals_.acknowledged_groups;
    });
  }
  std::vector<LeaseStatus> extend(std::span<const Lease> leases, double seconds) {
    require_option(seconds, kLeaseSeconds, "seconds", "TrajectoryStore::extend");
    return for_each_lease(
        leases, [&](Stored& group) { group.second.lease_end = lease_end(now_(), seconds); });
  }
  std::vector<LeaseStatus> give_back(std::span<const Lease> leases) {
    return for_each_lease(leases, [&](Stored& group) { release(group); });
  }
  std::size_t give_back_all(const std::string& reader) {
    const std::lock_guard lock(mutex_);
    std::size_t count = 0;
    for (const auto& [place, group] : complete_)
      if (group->second.lease != 0 && group->second.reader == reader) {
        release(*group);
        ++count;
      }
    return count;
  }

  void forget(const std::string& run) {
    const std::lock_guard lock(mutex_);
    for (auto at = groups_.begin(); at != groups_.end();) {
      if (at->first.source.run != run) {
        ++at;
        continue;
      }
      if (at->second.is_live()) remove(*at, State::dropped);
      by_lease_.erase(at->second.lease);
      at = groups_.erase(at);
    }
  }

  StoreStats stats() {
    const std::lock_guard lock(mutex_);
    StoreStats stats = totals_;
    const std::int64_t now = now_();
    stats.incomplete_groups = live_.size() - complete_.size();
    for (const auto& [place, group] : complete_)
      ++(group->second.is_leased(now) ? stats.claimed_groups : stats.ready_groups);
    return stats;
  }

 private:
  enum class State : std::uint8_t { incomplete, complete, acknowledged, dropped };
  struct Group {
    State state = State::incomplete;
    std::size_t size = 0;
    std::size_t bytes = 0;
    OldestVersions oldest{};
    std::map<std::size_t, std::vector<std::byte>> rollouts{};  // by member
    std::uint64_t place = 0;                                   // among complete ones
    std::uint64_t lease = 0;                                   // 0: nobody's
    std::string reader{};
    std::int64_t lease_end = 0;
    std::size_t deliveries = 0;

    bool is_live() const { return state == State::incomplete || state == State::complete; }
    bool is_leased(std::int64_t now) const { return lease != 0 && lease_end > now; }
  };
  using Stored = std::map<GroupKey, Group>::value_type;

  /// Errors: those of a commit that cannot be meant, before anything has changed.
  bool has_room(std::span<const EncodedRollout> rollouts) const {
    std::map<GroupKey, std::size_t> begun;
    std::size_t count = totals_.rollouts, bytes = totals_.bytes;
    for (const EncodedRollout& rollout : rollouts) {
      const auto stored = groups_.find(rollout.key);
      if (stored != groups_.end()) {
        if (stored->second.state == State::incomplete)
          require_group_size(rollout, stored->second.size);
        continue;
      }
      const auto [own, is_new] = begun.insert({rollout.key, rollout.group_size});
      require_group_size(rollout, own->second);
      if (is_new) {
        if (is_full_for(rollout, limits_, count, bytes, totals_.rollouts == 0)) return false;
        count += rollout.group_size;
      }
      bytes += rollout.bytes.size();
    }
    return true;
  }

  void add(EncodedRollout&& rollout, CommitResult& result) {
    const auto [stored, is_new] = groups_.try_emplace(rollout.key);
    Group& group = stored->second;
    if (is_new) {
      group.size = rollout.group_size;
      live_.insert(&*stored);
      totals_.rollouts += group.size;
    }
    if (group.state == State::dropped) {
      ++result.late;
      return;
    }
    const std::size_t bytes = rollout.bytes.size();
    if (group.state != State::incomplete ||
        !group.rollouts.emplace(rollout.member, std::move(rollout.bytes)).second) {
      ++result.repeated;
      return;
    }
    ++result.stored;
    group.bytes += bytes;
    totals_.bytes += bytes;
    group.oldest.add(rollout.oldest);
    if (group.rollouts.size() < group.size) return;
    group.state = State::complete;
    group.place = next_place_++;
    complete_.emplace(group.place, &*stored);
  }

  std::size_t drop_stale(const ClaimRequest& request, std::int64_t now) {
    if (request.oldest == AgentVersions{}) return 0;
    std::vector<Stored*> stale;
    for (Stored* const group : live_)
      if (group->first.source.run == request.run && !group->second.is_leased(now) &&
          group->second.oldest.is_below(request.oldest))
        stale.push_back(group);
    for (Stored* const group : stale) remove(*group, State::dropped);
    totals_.dropped_groups += stale.size();
    return stale.size();
  }

  ClaimedGroup hand_out(Stored& stored, const ClaimRequest& request, std::int64_t now) {
    Group& group = stored.second;
    release(stored);
    group.lease = next_lease_++;
    group.reader = request.reader;
    group.lease_end = lease_end(now, request.lease_seconds);
    by_lease_.emplace(group.lease, &stored);
    ClaimedGroup claimed{.lease = {group.lease},
                         .stale = group.oldest.is_below(request.oldest),
                         .deliveries = ++group.deliveries};
    for (const auto& [member, bytes] : group.rollouts)
      claimed.rollouts.push_back(decode_training_rollout(bytes, text_of(stored.first)));
    return claimed;
  }

  template <class Act>
  std::vector<LeaseStatus> for_each_lease(std::span<const Lease> leases, const Act& act) {
    const std::lock_guard lock(mutex_);
    std::vector<LeaseStatus> statuses;
    for (const Lease& lease : leases) {
      const auto found = by_lease_.find(lease.number);
      if (found == by_lease_.end()) {
        statuses.push_back(LeaseStatus::lost);
      } else if (found->second->second.state == State::acknowledged) {
        statuses.push_back(LeaseStatus::repeated);
      } else {
        act(*found->second);
        statuses.push_back(LeaseStatus::done);
      }
    }
    return statuses;
  }

  void release(Stored& group) {
    by_lease_.erase(group.second.lease);
    group.second.lease = 0;
  }

  /// The group leaves the store; its key stays, and of an acknowledged one its lease.
  void remove(Stored& stored, State state) {
    Group& group = stored.second;
    live_.erase(&stored);
    if (group.state == State::complete) complete_.erase(group.place);
    totals_.rollouts -= group.size;
    totals_.bytes -= group.bytes;
    group.rollouts.clear();
    group.state = state;
    if (state == State::dropped) release(stored);
  }

  StoreLimits limits_;
  StoreClock now_;
  std::mutex mutex_;
  std::map<GroupKey, Group> groups_;
  std::unordered_set<Stored*> live_;  // a claim must not walk the keys of all that ever was
  std::map<std::uint64_t, Stored*> complete_;              // by place
  std::unordered_map<std::uint64_t, Stored*> by_lease_{};  // those that are good
  std::uint64_t next_place_ = 1;
  std::uint64_t next_lease_ = 1;
  StoreStats totals_{};  // without what `stats` counts
};

}  // namespace dualagent
