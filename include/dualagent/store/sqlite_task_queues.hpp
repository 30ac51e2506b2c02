#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/core/check.hpp"
#include "dualagent/core/sha256.hpp"
#include "dualagent/store/sqlite_database.hpp"
#include "dualagent/store/sqlite_tables.hpp"
#include "dualagent/store/store_clock.hpp"
#include "dualagent/store/trajectory_store.hpp"

namespace dualagent {

/// How many texts an SqliteTaskQueues holds, and how it is opened.
struct TaskQueuesOptions {
  std::size_t max_texts = 65'536;  ///< of a queue
  /// How many of the newest texts, over all queues, are still recognised after they have left
  /// their queue; about 150 bytes of each stay in the file.
  std::size_t max_remembered = 1'000'000;
  double lock_seconds = 60;  ///< how long a call waits while other processes write
  StoreClock now = milliseconds_since_1970;

  void validate() const {
    require_function(now, "now", "TaskQueuesOptions");
    require_option(max_texts, kAtLeastOne, "max_texts", "TaskQueuesOptions");
    require_option(max_remembered, {1.0, 1e15}, "max_remembered", "TaskQueuesOptions");
    require_option(lock_seconds, sqlite_tables::kLockSeconds, "lock_seconds", "TaskQueuesOptions");
  }
};

/// A text that was taken from a queue.
struct FetchedText {
  std::string text{};
  std::uint64_t lease = 0;  ///< 0: it has left the queue

  friend bool operator==(const FetchedText&, const FetchedText&) = default;
};

/// Queues of texts by name in an SQLite file: what the reference system keeps in the lists of its
/// server.
///
/// First in, first out. A text that was put into a queue is not put into it again, also after it
/// was fetched (`max_remembered`): a client that got no answer repeats its commit. Durable when a
/// call returns, as an SqliteStore. Not for training rollouts of this library, which a
/// TrajectoryStore takes. Errors: as SqliteStore.
class SqliteTaskQueues {
 public:
  explicit SqliteTaskQueues(const std::filesystem::path& path, TaskQueuesOptions options = {})
      : options_((options.validate(), std::move(options))), database_(path) {
    sqlite_tables::prepare(database_, kFile, options_.lock_seconds, 1000);
    statements_.emplace(database_);
  }
  SqliteTaskQueues(const SqliteTaskQueues&) = delete;
  SqliteTaskQueues& operator=(const SqliteTaskQueues&) = delete;

  /// Puts a text at the queue's end, where it has not been put there before (`repeated` is 1), and
  /// neither the queue nor the disk is full.
  CommitResult commit(const std::string& queue, const std::string& text) {
    try {
      return in_transaction([&]() -> CommitResult {
        statements_->insert.run(queue, sha256_hex(text), text);
        if (database_.changes() == 0) return {.repeated = 1};
        const std::int64_t id = sqlite3_last_insert_rowid(database_.get());
        if (count(queue) <= options_.max_texts) {
          statements_->forget.run(id - static_cast<std::int64_t>(options_.max_remembered));
          return {.stored = 1};
        }
        statements_->remove.run(id);
        return {.status = CommitStatus::full};
      });
    } catch (const SqliteError& error) {
      if (error.is_full()) return {.status = CommitStatus::disk_full};
      throw;
    }
  }

  /// The first text of the queue for which `wanted(text)` holds and that nobody has on lease.
  /// Without `lease_seconds` it has left the queue; with it, another one gets it where it is not
  /// acknowledged in that time.
  template <class Wanted>
  std::optional<FetchedText> fetch(const std::string& queue, const Wanted& wanted,
                                   std::optional<double> lease_seconds = {}) {
    if (lease_seconds)
      require_option(*lease_seconds, kLeaseSeconds, "lease_seconds", "SqliteTaskQueues");
    return in_transaction([&]() -> std::optional<FetchedText> {
      const std::int64_t now = options_.now();
      Statements& sql = *statements_;
      sql.waiting.begin(queue, now);
      while (sql.waiting.next()) {
        FetchedText fetched{.text = sql.waiting.text(1)};
        if (!wanted(fetched.text)) continue;
        const std::int64_t id = sql.waiting.number(0);
        sql.waiting.end();
        if (!lease_seconds) {
          sql.take.run(id);
          return fetched;
        }
        sql.next_lease.run();
        fetched.lease = static_cast<std::uint64_t>(
            sqlite_tables::pragma_number(database_, "SELECT next_lease FROM leases"));
        sql.lease.run(fetched.lease, lease_end(now, *lease_seconds), id);
        return fetched;
      }
      return std::nullopt;
    });
  }
  std::optional<FetchedText> fetch(const std::string& queue) {
    return fetch(queue, [](const std::string&) { return true; });
  }

  /// The text has been used and leaves its queue.
  LeaseStatus acknowledge(std::uint64_t lease) {
    return in_transaction([&] {
      Statements& sql = *statements_;
      sql.of_lease.begin(lease);
      if (!sql.of_lease.next()) return LeaseStatus::lost;
      const std::int64_t id = sql.of_lease.number(0);
      const bool is_gone = sql.of_lease.number(1) != 0;
      sql.of_lease.end();
      if (is_gone) return LeaseStatus::repeated;
      sql.leave.run(id);
      return LeaseStatus::done;
    });
  }

  /// All queues of which a text is there or remembered, in order of name, and the texts in each.
  std::vector<std::pair<std::string, std::size_t>> sizes() {
    return in_transaction([&] {
      std::vector<std::pair<std::string, std::size_t>> sizes;
      SqliteStatement& sql = statements_->sizes;
      sql.begin();
      while (sql.next()) sizes.emplace_back(sql.text(0), static_cast<std::size_t>(sql.number(1)));
      return sizes;
    });
  }

 private:
  static constexpr sqlite_tables::File kFile{.application = 0x44755471,  // "DuTq"
                                             .format = 1,
                                             .schema = R"(
CREATE TABLE texts(
  id INTEGER PRIMARY KEY, queue TEXT NOT NULL, digest TEXT NOT NULL, text TEXT,
  lease INTEGER, lease_end INTEGER NOT NULL DEFAULT 0, UNIQUE(queue, digest));
CREATE INDEX waiting ON texts(queue, id) WHERE text IS NOT NULL;
CREATE UNIQUE INDEX text_leases ON texts(lease) WHERE lease IS NOT NULL;
CREATE TABLE leases(next_lease INTEGER NOT NULL);
INSERT INTO leases VALUES(0);
)"};

  struct Statements {
    explicit Statements(SqliteDatabase& database)
        : insert(database, "INSERT OR IGNORE INTO texts(queue, digest, text) VALUES(?, ?, ?)"),
          remove(database, "DELETE FROM texts WHERE id = ?"),
          forget(database, "DELETE FROM texts WHERE id <= ? AND text IS NULL"),
          count(database, "SELECT count(*) FROM texts WHERE queue = ? AND text IS NOT NULL"),
          waiting(
              database,
              "SELECT id, text FROM texts WHERE queue = ? AND text IS NOT NULL AND lease_end <= "
              "? ORDER BY id"),
          take(database, "UPDATE texts SET text = NULL, lease = NULL WHERE id = ?"),
          leave(database, "UPDATE texts SET text = NULL WHERE id = ?"),
          next_lease(database, "UPDATE leases SET next_lease = next_lease + 1"),
          lease(database, "UPDATE texts SET lease = ?, lease_end = ? WHERE id = ?"),
          of_lease(database, "SELECT id, text IS NULL FROM texts WHERE lease = ?"),
          sizes(database, "SELECT queue, count(text) FROM texts GROUP BY queue ORDER BY queue") {}
    SqliteStatement insert, remove, forget, count, waiting, take, leave, next_lease, lease,
        of_lease, sizes;
  };

  std::size_t count(const std::string& queue) {
    statements_->count.begin(queue);
    const bool found = statements_->count.next();
    const auto texts = found ? static_cast<std::size_t>(statements_->count.number(0)) : 0;
    statements_->count.end();
    return texts;
  }

  template <class Body>
  auto in_transaction(const Body& body) -> decltype(body()) {
    const std::lock_guard lock(mutex_);
    sqlite_tables::Transaction transaction(database_);
    auto result = body();
    transaction.commit();
    return result;
  }

  TaskQueuesOptions options_;
  std::mutex mutex_;
  SqliteDatabase database_;
  std::optional<Statements> statements_;
};

}  // namespace dualagent
