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

TEST_CASE("a file without its totals is named", "[store]") {
  SqliteDatabase database(":memory:");
  database.execute(sqlite_tables::kStore.schema);
  SqliteGroups groups(database);
  database.execute("DELETE FROM totals");
  CHECK(error_of([&] { groups.begin(); }) == "the store has lost its totals (:memory:)");
}
