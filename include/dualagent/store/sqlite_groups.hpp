#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/store/encoded_commit.hpp"
#include "dualagent/store/sqlite_database.hpp"
#include "dualagent/store/sqlite_tables.hpp"
#include "dualagent/store/store_clock.hpp"
#include "dualagent/store/training_rollout_codec.hpp"
#include "dualagent/store/trajectory_store.hpp"

namespace dualagent {

/// The groups in an SqliteStore's file. Everything here happens within a transaction of the caller,
/// who calls `begin` first and `end` before it commits. Errors: SqliteError.
class SqliteGroups {
 public:
  explicit SqliteGroups(SqliteDatabase& database) : database_(database) {}

  void begin() {
    load_totals_.begin();
    if (!load_totals_.next())
      throw Error("the store has lost its totals", database_.path(),
                  "The file is damaged: use a copy of it, or another one");
    std::int64_t column[10];
    for (int i = 0; i < 10; ++i) column[i] = load_totals_.number(i);
    load_totals_.end();
    totals_ = {};
    StoreStats& stats = totals_.stats;
    stats.rollouts = static_cast<std::size_t>(column[0]);
    stats.bytes = static_cast<std::size_t>(column[1]);
    totals_.next_place = column[2];
    totals_.next_lease = column[3];
    std::uint64_t* const ever[] = {&stats.stored_rollouts,     &stats.repeated_rollouts,
                                   &stats.late_rollouts,       &stats.deliveries,
                                   &stats.acknowledged_groups, &stats.dropped_groups};
    for (int i = 0; i < 6; ++i) *ever[i] = static_cast<std::uint64_t>(column[4 + i]);
    loaded_ = totals_;
  }
  void end() {
    if (totals_ == loaded_) return;
    const StoreStats& stats = totals_.stats;
    save_totals_.run(stats.rollouts, stats.bytes, totals_.next_place, totals_.next_lease,
                     stats.stored_rollouts, stats.repeated_rollouts, stats.late_rollouts,
                     stats.deliveries, stats.acknowledged_groups, stats.dropped_groups);
  }

  /// All rollouts of a commit, or none. Errors: as a TrajectoryStore's commit; nothing is stored.
  CommitResult add_all(std::span<const EncodedRollout> rollouts, const StoreLimits& limits) {
    const sqlite_tables::Totals before = totals_;
    database_.execute("SAVEPOINT one_commit");
    CommitResult result;
    const auto undo = [&] {
      database_.execute("ROLLBACK TO one_commit");
      database_.execute("RELEASE one_commit");
      totals_ = before;
    };
    try {
      for (const EncodedRollout& rollout : rollouts)
        if (!add(rollout, limits, before.stats.rollouts == 0, result)) {
          undo();
          return {.status = CommitStatus::full};
        }
    } catch (const SqliteError&) {
      throw;  // the whole transaction is undone
    } catch (const Error&) {
      undo();
      throw;
    }
    database_.execute("RELEASE one_commit");
    totals_.stats.stored_rollouts += result.stored;
    totals_.stats.repeated_rollouts += result.repeated;
    totals_.stats.late_rollouts += result.late;
    return result;
  }

  ClaimResult claim(const ClaimRequest& request, std::int64_t now) {
    ClaimResult result;
    if (request.stale == StalePolicy::drop) result.dropped_groups = drop_stale(request, now);
    std::vector<Found> found;
    find_claimable_.begin(request.run, now, request.step, request.step);
    std::size_t bytes = 0;
    while (result.groups.size() < request.max_groups && find_claimable_.next()) {
      Found group = this->found(find_claimable_);
      if (bytes + group.bytes > request.max_bytes && !result.groups.empty()) break;
      if (std::optional<std::vector<TrainingRollout>> rollouts = read(group)) {
        bytes += group.bytes;
        result.groups.push_back({.rollouts = std::move(*rollouts),
                                 .stale = group.oldest.is_below(request.oldest),
                                 .deliveries = group.deliveries + 1});
        found.push_back(group);
      } else {
        group.is_damaged = true;
        ++result.damaged_groups;
        found.push_back(group);
      }
    }
    find_claimable_.end();
    auto claimed = result.groups.begin();
    for (const Found& group : found) {
      if (group.is_damaged) {
        put_aside(group, sqlite_tables::kDamaged);
        continue;
      }
      claimed->lease.number = static_cast<std::uint64_t>(totals_.next_lease++);
      set_lease_.run(claimed->lease.number, request.reader, lease_end(now, request.lease_seconds),
                     group.id);
      ++claimed;
    }
    totals_.stats.deliveries += result.groups.size();
    return result;
  }

  LeaseStatus acknowledge(const Lease& lease) {
    return with_lease(lease, [&](const Found& group) {
      remove_rollouts(group);
      leave(group, sqlite_tables::kAcknowledged);
      ++totals_.stats.acknowledged_groups;
    });
  }
  LeaseStatus extend(const Lease& lease, std::int64_t end) {
    return with_lease(lease, [&](const Found& group) { set_lease_end_.run(end, group.id); });
  }
  LeaseStatus give_back(const Lease& lease) {
    return with_lease(lease, [&](const Found& group) { clear_lease_.run(group.id); });
  }
  std::size_t give_back_all(const std::string& reader) {
    clear_leases_.run(reader);
    return database_.changes();
  }

  void forget(const std::string& run) {
    std::vector<Found> found;
    find_run_.begin(run);
    while (find_run_.next()) found.push_back(this->found(find_run_));
    for (const Found& group : found) {
      remove_rollouts(group);
      if (group.state != sqlite_tables::kDamaged) leave(group, sqlite_tables::kDropped);
    }
    delete_run_.run(run);
  }

  StoreStats stats(std::int64_t now) {
    StoreStats stats = totals_.stats;
    count_states_.begin(now, now);
    if (count_states_.next()) {
      stats.incomplete_groups = static_cast<std::size_t>(count_states_.number(0));
      stats.claimed_groups = static_cast<std::size_t>(count_states_.number(1));
      stats.ready_groups = static_cast<std::size_t>(count_states_.number(2));
    }
    count_states_.end();
    count_damaged_.begin();
    if (count_damaged_.next())
      stats.damaged_groups = static_cast<std::size_t>(count_damaged_.number(0));
    count_damaged_.end();
    return stats;
  }

 private:
  struct Found {
    std::int64_t id = 0;
    GroupKey key{};
    std::size_t size = 0;
    std::size_t present = 0;
    std::size_t bytes = 0;
    OldestVersions oldest{};
    int state = 0;
    std::size_t deliveries = 0;
    bool is_damaged = false;
  };
  static constexpr const char* kColumns =
      "SELECT id, run, writer, step, number, size, present, bytes, answerer, summarizer, state, "
      "deliveries FROM groups WHERE ";

  static Found found(const SqliteStatement& row) {
    const auto count = [&](int column) { return static_cast<std::size_t>(row.number(column)); };
    Found group;
    group.id = row.number(0);
    group.key = {{row.text(1), row.text(2), static_cast<std::uint64_t>(row.number(3))},
                 static_cast<std::uint64_t>(row.number(4))};
    group.size = count(5);
    group.present = count(6);
    group.bytes = count(7);
    group.oldest = {row.optional_number(8), row.optional_number(9)};
    group.state = static_cast<int>(row.number(10));
    group.deliveries = count(11);
    return group;
  }

  SqliteStatement select(const std::string& where) { return {database_, kColumns + where}; }

  /// False if there is no room for the rollout's group.
  bool add(const EncodedRollout& rollout, const StoreLimits& limits, bool was_empty,
           CommitResult& result) {
    const RolloutSource& source = rollout.key.source;
    find_key_.begin(source.run, source.writer, source.step, rollout.key.group);
    std::optional<Found> group;
    if (find_key_.next()) group = found(find_key_);
    find_key_.end();
    StoreStats& stats = totals_.stats;
    const bool is_damaged = group && group->state == sqlite_tables::kDamaged;
    if (is_damaged) require_group_size(rollout, group->size);
    if (!group || is_damaged) {
      if (is_full_for(rollout, limits, stats.rollouts, stats.bytes, was_empty)) return false;
      group = is_damaged ? begin_again(*group) : begin_new(rollout);
      stats.rollouts += rollout.group_size;
    } else if (group->state == sqlite_tables::kDropped) {
      ++result.late;
      return true;
    } else if (group->state != sqlite_tables::kIncomplete) {
      ++result.repeated;
      return true;
    }
    require_group_size(rollout, group->size);
    insert_rollout_.run(
        sqlite_tables::first_rollout(group->id) + static_cast<std::int64_t>(rollout.member),
        std::span<const std::byte>(rollout.bytes));
    if (database_.changes() == 0) {
      ++result.repeated;
      return true;
    }
    ++result.stored;
    stats.bytes += rollout.bytes.size();
    group->oldest.add(rollout.oldest);
    const bool is_complete = ++group->present == group->size;
    update_group_.run(
        group->present, group->bytes + rollout.bytes.size(), group->oldest.answerer,
        group->oldest.summarizer,
        static_cast<int>(is_complete ? sqlite_tables::kComplete : sqlite_tables::kIncomplete),
        is_complete ? std::optional(static_cast<std::uint64_t>(totals_.next_place)) : std::nullopt,
        group->id);
    if (is_complete) ++totals_.next_place;
    return true;
  }

  Found begin_new(const EncodedRollout& rollout) {
    const RolloutSource& source = rollout.key.source;
    insert_group_.run(source.run, source.writer, source.step, rollout.key.group,
                      rollout.group_size);
    return {.id = sqlite3_last_insert_rowid(database_.get()), .size = rollout.group_size};
  }
  /// Of a damaged group nothing is kept but its key.
  Found begin_again(const Found& damaged) {
    remove_rollouts(damaged);
    return {.id = damaged.id, .size = damaged.size};
  }

  std::size_t drop_stale(const ClaimRequest& request, std::int64_t now) {
    if (request.oldest == AgentVersions{}) return 0;
    std::vector<Found> stale;
    find_stale_.begin(request.run, now, request.oldest.answerer, request.oldest.summarizer);
    while (find_stale_.next()) stale.push_back(found(find_stale_));
    for (const Found& group : stale) {
      remove_rollouts(group);
      put_aside(group, sqlite_tables::kDropped);
    }
    totals_.stats.dropped_groups += stale.size();
    return stale.size();
  }

  /// Nothing if what is stored cannot be what was committed.
  std::optional<std::vector<TrainingRollout>> read(const Found& group) {
    std::vector<TrainingRollout> rollouts;
    read_rollouts_.begin(sqlite_tables::first_rollout(group.id),
                         sqlite_tables::last_rollout(group.id));
    try {
      while (read_rollouts_.next()) {
        TrainingRollout one = decode_training_rollout(read_rollouts_.bytes(0), text_of(group.key));
        if (GroupKey{one.source(), one.rollout().group} != group.key ||
            one.group_size() != group.size || one.rollout().member != rollouts.size())
          throw Error("a rollout lies in another one's place");
        rollouts.push_back(std::move(one));
      }
    } catch (const SqliteError&) {
      throw;
    } catch (const Error&) {
      read_rollouts_.end();
      return std::nullopt;
    }
    if (rollouts.size() != group.size) return std::nullopt;
    return rollouts;
  }

  template <class Act>
  LeaseStatus with_lease(const Lease& lease, const Act& act) {
    find_lease_.begin(lease.number);
    std::optional<Found> group;
    if (find_lease_.next()) group = found(find_lease_);
    find_lease_.end();
    if (!group) return LeaseStatus::lost;
    if (group->state == sqlite_tables::kAcknowledged) return LeaseStatus::repeated;
    act(*group);
    return LeaseStatus::done;
  }

  void remove_rollouts(const Found& group) {
    delete_rollouts_.run(sqlite_tables::first_rollout(group.id),
                         sqlite_tables::last_rollout(group.id));
  }

  /// The group counts no longer, and no lease of it is good.
  void put_aside(const Found& group, sqlite_tables::State state) {
    leave(group, state);
    clear_lease_.run(group.id);
  }

  /// The group counts no longer; its key stays.
  void leave(const Found& group, sqlite_tables::State state) {
    set_state_.run(static_cast<int>(state), group.id);
    totals_.stats.rollouts -= group.size;
    totals_.stats.bytes -= group.bytes;
  }

  SqliteDatabase& database_;
  sqlite_tables::Totals totals_{};
  sqlite_tables::Totals loaded_{};
  SqliteStatement load_totals_{database_,
                               "SELECT rollouts, bytes, next_place, next_lease, stored, repeated, "
                               "late, deliveries, acknowledged, dropped FROM totals"};
  SqliteStatement save_totals_{
      database_,
      "UPDATE totals SET rollouts = ?, bytes = ?, next_place = ?, next_lease = ?, stored = ?, "
      "repeated = ?, late = ?, deliveries = ?, acknowledged = ?, dropped = ?"};
  SqliteStatement find_key_ = select("run = ? AND writer = ? AND step = ? AND number = ?");
  SqliteStatement find_lease_ = select("lease = ?");
  SqliteStatement find_run_ = select("run = ? AND (state < 2 OR state = 4)");  // with rollouts
  SqliteStatement find_claimable_ = select(
      "run = ? AND state < 2 AND place IS NOT NULL AND (lease IS NULL OR lease_end <= ?) AND (? IS "
      "NULL OR step = ?) ORDER BY place");
  SqliteStatement find_stale_ = select(
      "run = ? AND state < 2 AND (lease IS NULL OR lease_end <= ?) AND (answerer < ? OR summarizer "
      "< ?)");
  SqliteStatement insert_group_{
      database_, "INSERT INTO groups(run, writer, step, number, size) VALUES(?, ?, ?, ?, ?)"};
  SqliteStatement insert_rollout_{database_,
                                  "INSERT OR IGNORE INTO rollouts(id, bytes) VALUES(?, ?)"};
  SqliteStatement update_group_{database_,
                                "UPDATE groups SET present = ?, bytes = ?, answerer = ?, "
                                "summarizer = ?, state = ?, place = ? "
                                "WHERE id = ?"};
  SqliteStatement read_rollouts_{database_,
                                 "SELECT bytes FROM rollouts WHERE id BETWEEN ? AND ? ORDER BY id"};
  SqliteStatement delete_rollouts_{database_, "DELETE FROM rollouts WHERE id BETWEEN ? AND ?"};
  SqliteStatement set_lease_{database_,
                             "UPDATE groups SET lease = ?, reader = ?, lease_end = ?, deliveries = "
                             "deliveries + 1 WHERE id = ?"};
  SqliteStatement set_lease_end_{database_, "UPDATE groups SET lease_end = ? WHERE id = ?"};
  SqliteStatement clear_lease_{database_, "UPDATE groups SET lease = NULL WHERE id = ?"};
  SqliteStatement clear_leases_{
      database_,
      "UPDATE groups SET lease = NULL WHERE state = 1 AND lease IS NOT NULL AND reader = ?"};
  SqliteStatement set_state_{database_, "UPDATE groups SET state = ? WHERE id = ?"};
  SqliteStatement delete_run_{database_, "DELETE FROM groups WHERE run = ?"};
  SqliteStatement count_states_{
      database_,
      "SELECT ifnull(sum(state = 0), 0), ifnull(sum(state = 1 AND lease IS NOT NULL AND lease_end "
      "> "
      "?), 0), ifnull(sum(state = 1 AND (lease IS NULL OR lease_end <= ?)), 0) FROM groups WHERE "
      "state < 2"};
  SqliteStatement count_damaged_{database_, "SELECT count(*) FROM groups WHERE state = 4"};
};

}  // namespace dualagent
