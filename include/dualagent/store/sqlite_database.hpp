#pragma once

#include <sqlite3.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "dualagent/core/check.hpp"
#include "dualagent/store/trajectory_store.hpp"

namespace dualagent {

/// A failure that SQLite reported. `code()` is its extended result code, e.g. SQLITE_IOERR_FSYNC.
class SqliteError : public StoreFault {
 public:
  SqliteError(int code, const std::string& what, std::string where)
      : StoreFault(what, std::move(where), remedy_of(code)), code_(code) {}

  int code() const { return code_; }
  /// The disk is full; nothing has changed. SQLite reports a quota that is used up (EDQUOT) as any
  /// write that fails (SQLITE_IOERR_WRITE), and some versions do not keep the errno.
  bool is_full() const { return (code_ & 0xFF) == SQLITE_FULL; }

 private:
  static std::string remedy_of(int code) {
    switch (code & 0xFF) {
      case SQLITE_FULL:
        return "Free some space on the disk";
      case SQLITE_BUSY:
        return "Another process has locked the file for all that time: end it, or wait longer";
      case SQLITE_IOERR:
        return "The device or the file system reports an error: check the disk and its quota";
      case SQLITE_CORRUPT:
      case SQLITE_NOTADB:
        return "The file is damaged or is not an SQLite database: use another one";
      case SQLITE_CANTOPEN:
        return "Check the path; the folder must exist";
      case SQLITE_READONLY:
      case SQLITE_PERM:
        return "Check the permissions of the file and its folder";
      default:
        return "Check the file and its folder";
    }
  }
  int code_;
};

/// One connection to an SQLite file. Not to be used by two threads at once, nor after a fork.
class SqliteDatabase {
 public:
  /// Opens the file, and creates it if it is not there. `vfs` names the SQLite VFS that reads and
  /// writes it; empty: the default one. Errors: SqliteError.
  explicit SqliteDatabase(const std::filesystem::path& path, const std::string& vfs = {})
      : path_(path.string()) {
    // SQLite would make a database of its own, and remove it at the end.
    if (path_.empty()) throw Error("a database has no file", "SqliteDatabase", "Name one");
    require_no_nul(path_, "the database's path", "SqliteDatabase");
    require_no_nul(vfs, "vfs", "SqliteDatabase");
    sqlite3* connection = nullptr;
    const int code = sqlite3_open_v2(
        path_.c_str(), &connection,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
        vfs.empty() ? nullptr : vfs.c_str());
    connection_.reset(connection);
    if (code != SQLITE_OK) fail(code, "cannot open the file");
  }

  const std::string& path() const { return path_; }
  sqlite3* get() const { return connection_.get(); }

  /// Runs statements that return nothing. Errors: SqliteError.
  void execute(const std::string& sql) {
    const int code = sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) fail(code, "SQLite refuses \"" + sql.substr(0, sql.find('\n')) + "\"");
  }

  /// Rows that the last statement changed.
  std::size_t changes() const {
    return static_cast<std::size_t>(sqlite3_changes64(connection_.get()));
  }

  /// Throws SqliteError: `what`, then SQLite's own message.
  [[noreturn]] void fail(int code, const std::string& what) const {
    const std::string message =
        connection_ ? sqlite3_errmsg(connection_.get()) : sqlite3_errstr(code);
    throw SqliteError(code, what + ": " + message + " (code " + std::to_string(code) + ")", path_);
  }

 private:
  struct Close {
    void operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }
  };
  std::string path_;
  std::unique_ptr<sqlite3, Close> connection_;
};

/// A prepared statement: bind its values in order, then read its rows.
///
/// Example: SqliteStatement count(database, "SELECT count(*) FROM groups WHERE run = ?");
///   count.begin(run);
///   if (count.next()) n = count.number(0);
class SqliteStatement {
 public:
  /// Errors: SqliteError for a statement that SQLite does not understand.
  SqliteStatement(SqliteDatabase& database, std::string_view sql) : database_(&database) {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v3(database.get(), sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    statement_.reset(statement);
    if (code != SQLITE_OK) database.fail(code, "SQLite refuses \"" + std::string(sql) + "\"");
  }

  /// Begins anew with these values: integers, std::optional of them, texts, bytes. Texts and bytes
  /// must stay until `next` has returned false or `end` was called.
  template <class... Values>
  void begin(const Values&... values) {
    end();
    int index = 0;
    (bind(++index, values), ...);
  }

  /// The next row; false after the last one, and then the statement has ended. Errors: SqliteError.
  bool next() {
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) {
      try {
        database_->fail(code, "a statement failed");
      } catch (...) {
        end();
        throw;
      }
    }
    end();
    return false;
  }

  /// Runs a statement without rows. Errors: SqliteError.
  template <class... Values>
  void run(const Values&... values) {
    begin(values...);
    while (next()) continue;
  }

  void end() { sqlite3_reset(statement_.get()); }

  std::int64_t number(int column) const { return sqlite3_column_int64(statement_.get(), column); }
  std::optional<std::uint64_t> optional_number(int column) const {
    if (sqlite3_column_type(statement_.get(), column) == SQLITE_NULL) return std::nullopt;
    return static_cast<std::uint64_t>(number(column));
  }
  std::string text(int column) const {
    const std::span<const std::byte> found = bytes(column);
    return {reinterpret_cast<const char*>(found.data()), found.size()};
  }
  /// Valid until the next row.
  std::span<const std::byte> bytes(int column) const {
    const void* data = sqlite3_column_blob(statement_.get(), column);
    const int size = sqlite3_column_bytes(statement_.get(), column);
    return {static_cast<const std::byte*>(data), static_cast<std::size_t>(size)};
  }

 private:
  template <std::integral Number>
  void bind(int index, Number value) {
    check(sqlite3_bind_int64(statement_.get(), index, static_cast<std::int64_t>(value)));
  }
  void bind(int index, const std::optional<std::uint64_t>& value) {
    if (value)
      bind(index, *value);
    else
      check(sqlite3_bind_null(statement_.get(), index));
  }
  void bind(int index, const std::string& value) {
    check(sqlite3_bind_text64(statement_.get(), index, value.data(), value.size(), SQLITE_STATIC,
                              SQLITE_UTF8));
  }
  void bind(int index, const char* value) = delete;  // a temporary text would not stay
  void bind(int index, std::span<const std::byte> value) {
    check(sqlite3_bind_blob64(statement_.get(), index, value.data(), value.size(), SQLITE_STATIC));
  }
  void check(int code) const {
    if (code != SQLITE_OK) database_->fail(code, "SQLite refuses a value");
  }

  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  SqliteDatabase* database_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

}  // namespace dualagent
