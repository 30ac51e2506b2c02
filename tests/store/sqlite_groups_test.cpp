// Its rules are tested through sqlite_store_test.cpp; here is what only this level shows.
#include "dualagent/store/sqlite_groups.hpp"

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/training_rollouts.hpp"

using namespace dualagent;

TEST_CASE("groups of a transaction that is undone were never there", "[store]") {
  SqliteDatabase database(":memory:");
  database.execute(sqlite_tables::kStore.schema);
  SqliteGroups groups(database);
  const auto commit = [&](bool keep) {
    sqlite_tables::Transaction transaction(database);
    groups.begin();
    const CommitResult result = groups.add_all(encode_commit(training::group({})), {});
    groups.end();
    if (keep) transaction.commit();
    return result.stored;
  };
  CHECK(commit(false) == 2);
  CHECK(commit(true) == 2);
  CHECK(commit(true) == 0);
  groups.begin();
  CHECK(groups.stats(0).stored_rollouts == 2);
  CHECK(groups.stats(0).repeated_rollouts == 2);
}

TEST_CASE("to forget a run takes work for what it still holds, not for all its keys", "[store]") {
  SqliteDatabase database(":memory:");
  database.execute(sqlite_tables::kStore.schema);
  SqliteGroups groups(database);
  groups.begin();
  for (std::size_t g = 0; g < 20; ++g)
    groups.add_all(encode_commit(training::group({.group = g})), {});
  for (std::uint64_t left = 18; left > 0; --left) {
    const ClaimResult claimed = groups.claim({.run = "run", .reader = "reader"}, 0);
    groups.acknowledge(claimed.groups.at(0).lease);
  }
  database.execute("UPDATE rollouts SET bytes = x'00' WHERE id = (SELECT min(id) FROM rollouts)");
  CHECK(groups.claim({.run = "run", .reader = "reader"}, 0).damaged_groups == 1);
  std::size_t statements = 0;
  sqlite3_trace_v2(
      database.get(), SQLITE_TRACE_STMT,
      [](unsigned, void* count, void*, void*) { return ++*static_cast<std::size_t*>(count), 0; },
      &statements);
  groups.forget("run");
  CHECK(statements == 5);  // which groups; two times the rollouts, once the state; the keys
  sqlite3_trace_v2(database.get(), 0, nullptr, nullptr);
  CHECK(groups.stats(0).rollouts == 0);
  CHECK(groups.stats(0).bytes == 0);
  CHECK(groups.stats(0).damaged_groups == 0);
  CHECK(sqlite_tables::pragma_number(database, "SELECT count(*) FROM rollouts") == 0);
}

TEST_CASE("a file without its totals is named", "[store]") {
  SqliteDatabase database(":memory:");
  database.execute(sqlite_tables::kStore.schema);
  SqliteGroups groups(database);
  database.execute("DELETE FROM totals");
  CHECK(error_of([&] { groups.begin(); }) ==
        "the store has lost its totals (:memory:). The file is damaged: use a copy of it, or "
        "another one");
}
