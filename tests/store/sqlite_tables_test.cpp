#include "dualagent/store/sqlite_tables.hpp"

#include <string>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;

TEST_CASE("a new file gets a log that every commit is flushed to", "[store]") {
  const TemporaryFolder folder;
  SqliteDatabase database(folder / "a.sqlite");
  sqlite_tables::prepare(database, sqlite_tables::kStore, 1, 1000);
  SqliteStatement mode(database, "PRAGMA journal_mode");
  mode.begin();
  REQUIRE(mode.next());
  CHECK(mode.text(0) == "wal");
  mode.end();
  CHECK(sqlite_tables::pragma_number(database, "PRAGMA synchronous") == 2);  // FULL
  CHECK(sqlite_tables::pragma_number(database, "PRAGMA page_size") == 8192);
  CHECK(sqlite_tables::pragma_number(database, "PRAGMA application_id") ==
        sqlite_tables::kStore.application);
  sqlite_tables::prepare(database, sqlite_tables::kStore, 1, 1000);  // an old file stays as it is
  CHECK(sqlite_tables::pragma_number(database, "SELECT count(*) FROM totals") == 1);
}

TEST_CASE("a file of rollouts in an older format is refused, not taken for damaged", "[store]") {
  SqliteDatabase database(":memory:");
  database.execute(sqlite_tables::kStore.schema);
  database.execute("PRAGMA application_id = " + std::to_string(sqlite_tables::kStore.application));
  database.execute("PRAGMA user_version = 10102");  // training rollouts 1, rollouts 2
  CHECK(error_of([&] { sqlite_tables::require_ours(database, sqlite_tables::kStore); }) ==
        "the file has format 10102, this library reads format 10103 (:memory:). Use the library "
        "version that wrote it");
}

TEST_CASE("a file that another process makes while it is looked at is known as one of ours",
          "[store]") {
  struct Maker {
    SqliteDatabase database;
    int statements_left;
  };
  for (int moment = 1; moment <= 3; ++moment) {
    const TemporaryFolder folder;
    SqliteDatabase database(folder / "a.sqlite");
    Maker other{SqliteDatabase(folder / "a.sqlite"), moment};
    sqlite3_trace_v2(
        database.get(), SQLITE_TRACE_STMT,
        [](unsigned, void* maker, void*, void*) {
          Maker& own = *static_cast<Maker*>(maker);
          if (--own.statements_left == 0) try {
              sqlite_tables::prepare(own.database, sqlite_tables::kStore, 0, 1000);
            } catch (const SqliteError&) {  // locked by the one that looks
            }
          return 0;
        },
        &other);
    CHECK(error_of([&] { sqlite_tables::require_ours(database, sqlite_tables::kStore); }) ==
          "no error");
  }
}

TEST_CASE("a transaction that is not committed is undone", "[store]") {
  SqliteDatabase database(":memory:");
  database.execute("CREATE TABLE t(a)");
  const auto rows = [&] {
    return sqlite_tables::pragma_number(database, "SELECT count(*) FROM t");
  };
  {
    sqlite_tables::Transaction transaction(database);
    database.execute("INSERT INTO t VALUES(1)");
  }
  CHECK(rows() == 0);
  {
    sqlite_tables::Transaction transaction(database);
    database.execute("INSERT INTO t VALUES(1)");
    transaction.commit();
  }
  CHECK(rows() == 1);
}

TEST_CASE("rollouts of a group have ids side by side", "[store]") {
  CHECK(sqlite_tables::first_rollout(3) == 3 << 20);
  CHECK(sqlite_tables::last_rollout(3) == (4 << 20) - 1);
}

TEST_CASE("a file that another process has locked is waited for, then named", "[store]") {
  const TemporaryFolder folder;
  SqliteDatabase first(folder / "a.sqlite"), second(folder / "a.sqlite");
  sqlite_tables::prepare(first, sqlite_tables::kStore, 1, 1000);
  sqlite_tables::prepare(second, sqlite_tables::kStore, 0, 1000);
  sqlite_tables::Transaction transaction(first);
  CHECK(error_of([&] { sqlite_tables::Transaction other(second); }).find("database is locked") !=
        std::string::npos);
}
