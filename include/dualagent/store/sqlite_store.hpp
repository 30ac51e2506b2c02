#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <limits>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/core/check.hpp"
#include "dualagent/store/encoded_commit.hpp"
#include "dualagent/store/sqlite_groups.hpp"
#include "dualagent/store/sqlite_tables.hpp"
#include "dualagent/store/store_clock.hpp"
#include "dualagent/store/trajectory_store.hpp"

namespace dualagent {

/// How an SqliteStore is opened. Processes that share a store should agree on the limits.
struct SqliteStoreOptions {
  StoreLimits limits{};
  double lock_seconds = 60;  ///< how long a call waits while other processes write
  /// Pages of 8 KiB that the write-ahead log has when it is copied into the file.
  std::size_t log_pages = 1000;
  StoreClock now = milliseconds_since_1970;
  std::string vfs{};  ///< name of the SQLite VFS that reads and writes; empty: SQLite's own

  void validate() const {
    limits.validate();
    require_function(now, "now", "SqliteStoreOptions");
    require_option(lock_seconds, sqlite_tables::kLockSeconds, "lock_seconds", "SqliteStoreOptions");
    require_option(log_pages, {1, 1e6}, "log_pages", "SqliteStoreOptions");
  }
};

/// A store in an SQLite file, which any number of processes of one machine share.
///
/// Durable: when `commit`, `claim`, `acknowledge`, `extend` or `give_back` returns, its effect is
/// on the disk (write-ahead log, synchronous = FULL) and survives kill -9 and a loss of power, as
/// far as the disk keeps what it has flushed. Before that it has happened as a whole or not at all;
/// after an exception it has not happened or, where flushing failed, perhaps: make the same call
/// again. A commit that finds the disk full is refused with CommitStatus::disk_full.
///
/// One flush for many: all rollouts of a call share one, and so do the calls of threads that
/// commit while another one's flush runs. Put the file on a local disk; write-ahead logs do not
/// work over network file systems. A process that forks must not use the store in the child.
/// Of an acknowledged or dropped group its key stays until `forget`, about 200 bytes.
/// Errors: Error naming the file, as SqliteError where SQLite reports one; as `TrajectoryStore`;
/// for a file of another program or format.
/// Example: SqliteStore store("run-1/rollouts.sqlite");
class SqliteStore {
 public:
  explicit SqliteStore(const std::filesystem::path& path, SqliteStoreOptions options = {})
      : options_(std::move(options)), database_(open(path, options_)), groups_(database_) {}
  SqliteStore(const SqliteStore&) = delete;
  SqliteStore& operator=(const SqliteStore&) = delete;

  /// Threads that call this at the same time share a transaction and its flush.
  CommitResult commit(std::span<const TrainingRollout> rollouts) {
    PendingCommit own{.rollouts = encode_commit(rollouts)};
    std::unique_lock lock(queue_mutex_);
    queue_.push_back(&own);
    while (!own.done) {
      if (is_committing_) {
        committed_.wait(lock, [&] { return own.done || !is_committing_; });
        continue;
      }
      is_committing_ = true;
      const std::vector<PendingCommit*> together = std::exchange(queue_, {});
      lock.unlock();
      commit_together(together);
      lock.lock();
      for (PendingCommit* commit : together) commit->done = true;
      is_committing_ = false;
      committed_.notify_all();
    }
    if (own.error) std::rethrow_exception(own.error);
    return own.result;
  }
  template <detail::NotForTraining Rollouts>
  CommitResult commit(const Rollouts&) {
    detail::refuse_commit<Rollouts>();
    return {};
  }

  ClaimResult claim(const ClaimRequest& request) {
    request.validate();
    return in_transaction([&] { return groups_.claim(request, options_.now()); });
  }

  std::vector<LeaseStatus> acknowledge(std::span<const Lease> leases) {
    return for_each_lease(leases, [&](const Lease& lease) { return groups_.acknowledge(lease); });
  }
  std::vector<LeaseStatus> extend(std::span<const Lease> leases, double seconds) {
    require_option(seconds, kLeaseSeconds, "seconds", "TrajectoryStore::extend");
    return for_each_lease(leases, [&](const Lease& lease) {
      return groups_.extend(lease, lease_end(options_.now(), seconds));
    });
  }
  std::vector<LeaseStatus> give_back(std::span<const Lease> leases) {
    return for_each_lease(leases, [&](const Lease& lease) { return groups_.give_back(lease); });
  }
  std::size_t give_back_all(const std::string& reader) {
    return in_transaction([&] { return groups_.give_back_all(reader); });
  }

  void forget(const std::string& run) {
    in_transaction([&] { return groups_.forget(run), 0; });
  }
  StoreStats stats() {
    return in_transaction([&] { return groups_.stats(options_.now()); });
  }

 private:
  struct PendingCommit {
    std::vector<EncodedRollout> rollouts{};
    CommitResult result{};
    std::exception_ptr error{};
    bool done = false;
  };

  static SqliteDatabase open(const std::filesystem::path& path, const SqliteStoreOptions& options) {
    options.validate();
    SqliteDatabase database(path, options.vfs);
    sqlite_tables::prepare(database, sqlite_tables::kStore, options.lock_seconds,
                           options.log_pages);
    return database;
  }

  /// Runs `body` alone in the file; durable when it returns.
  template <class Body>
  auto in_transaction(const Body& body) -> decltype(body()) {
    const std::lock_guard lock(database_mutex_);
    sqlite_tables::Transaction transaction(database_);
    groups_.begin();
    auto result = body();
    groups_.end();
    transaction.commit();
    return result;
  }

  template <class Act>
  std::vector<LeaseStatus> for_each_lease(std::span<const Lease> leases, const Act& act) {
    return in_transaction([&] {
      std::vector<LeaseStatus> statuses;
      for (const Lease& lease : leases) statuses.push_back(act(lease));
      return statuses;
    });
  }

  /// One transaction; what one call cannot commit does not touch the others.
  void commit_together(std::span<PendingCommit* const> together) {
    try {
      in_transaction([&] {
        for (PendingCommit* commit : together) try {
            commit->result = groups_.add_all(commit->rollouts, options_.limits);
          } catch (const SqliteError&) {
            throw;
          } catch (const Error&) {
            commit->error = std::current_exception();
          }
        return 0;
      });
    } catch (const SqliteError& error) {
      fail_all(together, error.is_full());
    } catch (...) {
      fail_all(together, false);
    }
  }

  static void fail_all(std::span<PendingCommit* const> together, bool disk_is_full) {
    for (PendingCommit* commit : together) {
      commit->result = {.status = CommitStatus::disk_full};
      if (!disk_is_full) commit->error = std::current_exception();
    }
  }

  SqliteStoreOptions options_;
  std::mutex database_mutex_;
  SqliteDatabase database_;
  SqliteGroups groups_;
  std::mutex queue_mutex_;
  std::condition_variable committed_;
  std::vector<PendingCommit*> queue_;
  bool is_committing_ = false;
};

}  // namespace dualagent
