#include "dualagent/store/sqlite_database.hpp"

#include <optional>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;

TEST_CASE("statements carry numbers, nothing, texts and bytes", "[store]") {
  SqliteDatabase database(":memory:");
  database.execute("CREATE TABLE t(a, b, c, d)");
  const std::string text("a\0b", 3);
  const std::vector<std::byte> bytes{std::byte{0}, std::byte{255}};
  SqliteStatement insert(database, "INSERT INTO t VALUES(?, ?, ?, ?)");
  insert.run(-5, std::optional<std::uint64_t>{}, text, std::span<const std::byte>(bytes));
  insert.run((std::uint64_t{1} << 62) - 1, std::optional<std::uint64_t>{7}, text,
             std::span<const std::byte>(bytes));
  CHECK(database.changes() == 1);
  SqliteStatement select(database, "SELECT a, b, c, d FROM t ORDER BY a");
  select.begin();
  REQUIRE(select.next());
  CHECK(select.number(0) == -5);
  CHECK(select.optional_number(1) == std::nullopt);
  CHECK(select.text(2) == text);
  CHECK(std::vector<std::byte>(select.bytes(3).begin(), select.bytes(3).end()) == bytes);
  REQUIRE(select.next());
  CHECK(select.number(0) == 4'611'686'018'427'387'903);
  CHECK(select.optional_number(1) == 7U);
  CHECK(!select.next());
}

TEST_CASE("SQLite's failures name what, where and what to do", "[store]") {
  const TemporaryFolder folder;
  const std::string path = (folder / "a.sqlite").string();
  SqliteDatabase database(path);
  CHECK(error_of([&] { database.execute("SELEC 1"); }) ==
        "SQLite refuses \"SELEC 1\": near \"SELEC\": syntax error (code 1) (" + path +
            "). Check the file and its folder");
  CHECK(error_of([&] {
          SqliteStatement(database, "SELECT x");
        }).find("SQLite refuses \"SELECT x\": no such column: x") == 0);
  CHECK(error_of([&] {
          SqliteDatabase{folder / "b/c.sqlite"};
        }).find("cannot open the file: unable to open database file") == 0);
  CHECK(error_of([&] {
          SqliteDatabase(folder / "c.sqlite", "no such vfs");
        }).find("cannot open the file: no such vfs") == 0);
  CHECK(error_of([&] {
          SqliteDatabase(path, std::string("unix\0b", 6));
        }).find("vfs has a NUL byte at byte 4") == 0);
  CHECK(error_of([&] { SqliteDatabase(path + std::string("\0b", 2)); }).find("has a NUL byte") !=
        std::string::npos);
  database.execute("CREATE TABLE t(a UNIQUE)");
  SqliteStatement insert(database, "INSERT INTO t VALUES(?)");
  insert.run(1);
  CHECK(error_of([&] { insert.run(1); }).find("a statement failed: UNIQUE constraint failed") == 0);
  insert.run(2);  // a statement that failed can be used again
  CHECK(SqliteError(SQLITE_FULL, "a", "b").is_full());
  CHECK(!SqliteError(SQLITE_IOERR_FSYNC, "a", "b").is_full());
}
