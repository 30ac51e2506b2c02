#pragma once

#include <sqlite3.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "dualagent/core/check.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/store/encoded_commit.hpp"
#include "dualagent/store/sqlite_database.hpp"
#include "dualagent/store/training_rollout_codec.hpp"
#include "dualagent/store/trajectory_store.hpp"
#include "dualagent/trace/rollout_codec.hpp"

namespace dualagent {

/// How the library's SQLite files are opened, a transaction, and the tables of an SqliteStore.
namespace sqlite_tables {

/// What a new file is made with, and by what an old one is known.
struct File {
  std::int64_t application;
  std::int64_t format;
  const char* schema;
};

/// How long a call may wait for other processes, in seconds.
inline constexpr Bounds kLockSeconds{0, 86'400};

/// groups.state; below kAcknowledged a group holds rollouts that count.
enum State : int { kIncomplete = 0, kComplete = 1, kAcknowledged = 2, kDropped = 3, kDamaged = 4 };

/// A rollout's id is its group's, shifted, plus its member: rollouts of a group lie side by side,
/// and new ones at the end.
inline constexpr int kMemberBits = 20;
static_assert(TrainingAccess::kMaxGroupSize <= std::size_t{1} << kMemberBits);
inline std::int64_t first_rollout(std::int64_t group) { return group << kMemberBits; }
inline std::int64_t last_rollout(std::int64_t group) { return first_rollout(group + 1) - 1; }

/// An SqliteStore's file. Its format is that of the tables, of a training rollout and of a rollout,
/// so that no library opens it which would take another format for damage.
inline constexpr File kStore{
    .application = 0x44755374,  // "DuSt"
    .format = 1'00'00 + 100 * detail::kTrainingFormat + detail::kRolloutFormat,
    .schema = R"(
CREATE TABLE groups(
  id INTEGER PRIMARY KEY,
  run TEXT NOT NULL, writer TEXT NOT NULL, step INTEGER NOT NULL, number INTEGER NOT NULL,
  size INTEGER NOT NULL,
  present INTEGER NOT NULL DEFAULT 0,
  bytes INTEGER NOT NULL DEFAULT 0,
  answerer INTEGER, summarizer INTEGER,
  state INTEGER NOT NULL DEFAULT 0,
  place INTEGER,
  lease INTEGER, reader TEXT, lease_end INTEGER NOT NULL DEFAULT 0,
  deliveries INTEGER NOT NULL DEFAULT 0,
  UNIQUE(run, writer, step, number));
CREATE INDEX live_groups ON groups(run, place) WHERE state < 2;
CREATE UNIQUE INDEX leases ON groups(lease) WHERE lease IS NOT NULL;
CREATE TABLE rollouts(id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
CREATE TABLE totals(
  rollouts INTEGER NOT NULL, bytes INTEGER NOT NULL,
  next_place INTEGER NOT NULL, next_lease INTEGER NOT NULL,
  stored INTEGER NOT NULL, repeated INTEGER NOT NULL, late INTEGER NOT NULL,
  deliveries INTEGER NOT NULL, acknowledged INTEGER NOT NULL, dropped INTEGER NOT NULL);
INSERT INTO totals VALUES(0, 0, 1, 1, 0, 0, 0, 0, 0, 0);
)"};

/// The one row of `totals`.
struct Totals {
  StoreStats stats{};  // without what is counted when it is asked for
  std::int64_t next_place = 1;
  std::int64_t next_lease = 1;

  friend bool operator==(const Totals&, const Totals&) = default;
};

inline std::int64_t pragma_number(SqliteDatabase& database, const std::string& pragma) {
  SqliteStatement statement(database, pragma);
  statement.begin();
  return statement.next() ? statement.number(0) : 0;
}

/// A write transaction: alone in the file from its first moment on, undone unless committed.
class Transaction {
 public:
  explicit Transaction(SqliteDatabase& database) : database_(database) {
    database_.execute("BEGIN IMMEDIATE");
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction() {
    // A statement that an exception left open would keep the connection at what it has read, and no
    // later transaction could begin once another process has written.
    for (sqlite3_stmt* open = sqlite3_next_stmt(database_.get(), nullptr); open != nullptr;
         open = sqlite3_next_stmt(database_.get(), open))
      sqlite3_reset(open);
    // Some errors have rolled it back already.
    if (sqlite3_get_autocommit(database_.get()) == 0)
      sqlite3_exec(database_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
  /// Returns once what was changed is on the disk. Errors: SqliteError; it is then not stored, or,
  /// where the disk failed in the middle of flushing, perhaps stored.
  void commit() { database_.execute("COMMIT"); }

 private:
  SqliteDatabase& database_;
};

/// SQLite does not wait by itself where two processes first open a new file.
template <class Body>
void retry_while_locked(double seconds, const Body& body) {
  const auto end = std::chrono::steady_clock::now() +
                   std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
  for (;;) try {
      return body();
    } catch (const SqliteError& error) {
      if ((error.code() & 0xFF) != SQLITE_BUSY || std::chrono::steady_clock::now() >= end) throw;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
}

inline void require_ours(SqliteDatabase& database, const File& file) {
  // One statement sees one state of the file, which another process may be making now.
  SqliteStatement look(database,
                       "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema) "
                       "FROM pragma_application_id, pragma_user_version");
  look.begin();
  if (!look.next())
    throw Error("SQLite does not say what the file is", database.path(),
                "Install an SQLite with pragma functions: they are left out of some builds");
  const std::int64_t application = look.number(0), format = look.number(1);
  const bool is_new = application == 0 && format == 0 && look.number(2) == 0;
  look.end();
  if (is_new) return;
  if (application != file.application)
    throw Error("the file is an SQLite database for something else", database.path(),
                "Name a file that is not there yet, or one that was made for this");
  if (format != file.format)
    throw Error("the file has format " + std::to_string(format) + ", this library reads format " +
                    std::to_string(file.format),
                database.path(), "Use the library version that wrote it");
}

/// Makes the tables where the file is new, with a log that every commit is flushed to.
inline void prepare(SqliteDatabase& database, const File& file, double lock_seconds,
                    std::size_t log_pages) {
  sqlite3_busy_timeout(database.get(), static_cast<int>(lock_seconds * 1000));
  database.execute("PRAGMA page_size = 8192");  // of a new file; 2 to 3 rollouts of 2 KiB each
  retry_while_locked(lock_seconds, [&] {
    {
      const Transaction alone(database);  // while another process makes the tables
      require_ours(database, file);
    }
    SqliteStatement mode(database, "PRAGMA journal_mode = WAL");
    mode.begin();
    if (!mode.next() || mode.text(0) != "wal")
      throw Error("SQLite cannot keep a write-ahead log here", database.path(),
                  "Choose a local disk: it needs shared memory between processes");
  });
  database.execute("PRAGMA synchronous = FULL");
  sqlite3_wal_autocheckpoint(database.get(), static_cast<int>(log_pages));
  database.execute("PRAGMA journal_size_limit = 67108864");
  Transaction transaction(database);
  require_ours(database, file);
  if (pragma_number(database, "PRAGMA user_version") == file.format) return;
  database.execute(file.schema);
  database.execute("PRAGMA application_id = " + std::to_string(file.application));
  database.execute("PRAGMA user_version = " + std::to_string(file.format));
  transaction.commit();
  sync_directory(detail::folder_of(database.path()));
}

}  // namespace sqlite_tables

}  // namespace dualagent
