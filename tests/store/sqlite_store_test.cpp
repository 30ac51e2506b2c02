#include "dualagent/store/sqlite_store.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "dualagent/store/memory_store.hpp"
#include "laws/store_laws.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/faulty_vfs.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;

namespace {

const FaultyVfs::Faults kOnlyCounted{.really_sync = false};

ClaimRequest request(std::size_t groups = 1) {
  return {.run = "run", .reader = "reader", .max_groups = groups, .lease_seconds = 5};
}

}  // namespace

TEST_CASE("a store in SQLite keeps every law of a store", "[store]") {
  const TemporaryFolder folder;
  FaultyVfs disk(kOnlyCounted);
  int files = 0;
  const auto violations = laws::of_store([&](StoreLimits limits, StoreClock now) {
    return std::make_unique<SqliteStore>(
        folder / (std::to_string(files++) + ".sqlite"),
        SqliteStoreOptions{.limits = limits, .now = now, .vfs = disk.name()});
  });
  CHECK(violations == std::vector<std::string>{});
}

TEST_CASE("what a store in SQLite has taken is there when it is opened again", "[store]") {
  const TemporaryFolder folder;
  FaultyVfs disk(kOnlyCounted);
  std::int64_t time = 0;
  const SqliteStoreOptions options{.now = [&] { return time; }, .vfs = disk.name()};
  Lease lease;
  StoreStats before;
  {
    SqliteStore store(folder / "store.sqlite", options);
    for (const std::size_t g : {2U, 0U, 1U}) store.commit(training::group({.group = g}));
    store.commit(std::vector{training::rollout({.group = 7}, 0)});
    lease = store.claim(request()).groups.at(0).lease;
    before = store.stats();
  }
  SqliteStore store(folder / "store.sqlite", options);
  CHECK(store.stats() == before);
  CHECK(store.claim(request()).groups.at(0).rollouts.at(0).rollout().group == 0);
  CHECK(store.acknowledge(std::span(&lease, 1)).at(0) == LeaseStatus::done);
  CHECK(store.commit(training::group({.group = 2})).repeated == 2);
}

TEST_CASE("a store in SQLite does what the one in memory does, call by call", "[store]") {
  const TemporaryFolder folder;
  FaultyVfs disk(kOnlyCounted);
  std::int64_t time = 0;
  const StoreLimits limits{.max_rollouts = 20, .max_bytes = 6000};
  MemoryStore memory(limits, [&] { return time; });
  SqliteStore file(folder / "store.sqlite",
                   {.limits = limits, .now = [&] { return time; }, .vfs = disk.name()});
  const RandomStream random = RandomStream::from_seed(3);
  std::vector<Lease> leases;
  std::size_t claimed = 0, full = 0;
  for (std::uint64_t i = 0; i < 600; ++i) {
    const auto draw = [&](std::uint64_t which, std::uint64_t n) {
      return random.child(i).below(which, n);
    };
    const training::Wanted wanted{.step = draw(1, 3),
                                  .group = draw(2, 12),
                                  .size = 2 + draw(2, 12) % 3,
                                  .versions = {draw(3, 4), draw(4, 4)}};
    const std::span<const Lease> some =
        std::span<const Lease>(leases).last(std::min<std::size_t>(leases.size(), 1 + draw(5, 4)));
    switch (draw(0, 12)) {
      case 0:
      case 1:
      case 2:
      case 3: {
        const auto group = training::group(wanted);
        const auto part = std::span(group).first(1 + draw(6, group.size()));
        const CommitResult result = memory.commit(part);
        full += result.status == CommitStatus::full ? 1 : 0;
        CHECK(file.commit(part) == result);
        break;
      }
      case 4:
      case 5:
      case 6: {
        ClaimRequest asked = request(1 + draw(7, 3));
        asked.reader = draw(8, 2) == 0 ? "a" : "b";
        if (draw(9, 2) == 0) asked.step = draw(10, 3);
        if (draw(11, 4) == 0) asked.oldest = {draw(12, 3), draw(13, 3)};
        if (draw(14, 2) == 0) asked.stale = StalePolicy::hand_out;
        const ClaimResult a = memory.claim(asked), b = file.claim(asked);
        REQUIRE(a.groups.size() == b.groups.size());
        CHECK(a.dropped_groups == b.dropped_groups);
        for (std::size_t g = 0; g < a.groups.size(); ++g) {
          CHECK(a.groups[g].lease == b.groups[g].lease);
          CHECK(a.groups[g].stale == b.groups[g].stale);
          CHECK(a.groups[g].deliveries == b.groups[g].deliveries);
          REQUIRE(a.groups[g].rollouts.size() == b.groups[g].rollouts.size());
          for (std::size_t r = 0; r < a.groups[g].rollouts.size(); ++r)
            CHECK(encode_training_rollout(a.groups[g].rollouts[r]) ==
                  encode_training_rollout(b.groups[g].rollouts[r]));
          leases.push_back(a.groups[g].lease);
          ++claimed;
        }
        break;
      }
      case 7:
      case 8:
        CHECK(memory.acknowledge(some) == file.acknowledge(some));
        break;
      case 9:
        CHECK(memory.give_back(some) == file.give_back(some));
        break;
      case 10:
        CHECK(memory.extend(some, 3) == file.extend(some, 3));
        break;
      default:
        time += static_cast<std::int64_t>(draw(15, 4000));
        if (draw(16, 8) == 0) CHECK(memory.give_back_all("a") == file.give_back_all("a"));
    }
    REQUIRE(memory.stats() == file.stats());
    if (i % 100 == 99) {
      memory.forget("run");
      file.forget("run");
    }
  }
  CHECK(claimed > 30);
  CHECK(full > 10);
}

TEST_CASE("all rollouts of a call share one flush", "[store]") {
  const TemporaryFolder folder;
  FaultyVfs disk(kOnlyCounted);
  SqliteStore store(folder / "store.sqlite", {.vfs = disk.name()});
  store.commit(training::group({.group = 1}));  // the log begins with flushes of its own
  const std::size_t before = disk.syncs();
  store.commit(training::group({.group = 2, .size = 8}));
  CHECK(disk.syncs() == before + 1);
}

TEST_CASE("calls that commit together fail one by one", "[store]") {
  const TemporaryFolder folder;
  FaultyVfs disk(kOnlyCounted);
  SqliteStore store(folder / "store.sqlite", {.vfs = disk.name()});
  store.commit(std::vector{training::rollout({.group = 0, .size = 3}, 2)});
  std::atomic<int> errors{0};
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < 8; ++t)
      threads.emplace_back([&, t] {
        try {
          store.commit(training::group({.group = t % 2 == 0 ? 0 : t}));  // 0: of another size
        } catch (const Error&) {
          ++errors;
        }
      });
  }
  CHECK(errors == 4);
  CHECK(store.stats().stored_rollouts == 1 + 4 * 2);
}

TEST_CASE("processes that open a new store at once share it", "[store]") {
  const TemporaryFolder folder;
  std::vector<pid_t> children;
  for (std::size_t p = 0; p < 4; ++p) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      try {
        SqliteStore store(folder / "store.sqlite");
        for (std::size_t g = 0; g < 3; ++g)
          store.commit(training::group({.writer = std::to_string(p), .group = g}));
        ::_exit(0);
      } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        ::_exit(1);
      }
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(status == 0);
  }
  SqliteStore store(folder / "store.sqlite");
  CHECK(store.stats().ready_groups == 12);
}

TEST_CASE("a full disk refuses a commit; there is room again, and it is stored", "[store]") {
  const TemporaryFolder folder;
  FaultyVfs disk(kOnlyCounted);
  SqliteStore store(folder / "store.sqlite", {.vfs = disk.name()});
  disk.set({.really_sync = false, .full = 1});
  const auto group = training::group({});
  CHECK(store.commit(group) == CommitResult{.status = CommitStatus::disk_full});
  disk.set(kOnlyCounted);
  CHECK(store.commit(group).stored == 2);
  CHECK(store.stats().rollouts == 2);
}

TEST_CASE("a device that fails is an error that names the file, and nothing is lost", "[store]") {
  const TemporaryFolder folder;
  FaultyVfs disk(kOnlyCounted);
  SqliteStore store(folder / "store.sqlite", {.vfs = disk.name()});
  store.commit(training::group({.group = 0}));
  for (const auto& faults : {FaultyVfs::Faults{.really_sync = false, .eio = 1},
                             FaultyVfs::Faults{.really_sync = false, .torn = 1},
                             FaultyVfs::Faults{.really_sync = false, .fsync = 1}}) {
    disk.set(faults);
    const std::string error = error_of([&] { store.commit(training::group({.group = 1})); });
    CHECK(error.find("disk I/O error") != std::string::npos);
    CHECK(error.find((folder / "store.sqlite").string()) != std::string::npos);
    CHECK(error_of([&] { store.claim(request()); }).find("disk I/O error") != std::string::npos);
    disk.set(kOnlyCounted);
    CHECK(store.stats().ready_groups == 1);
  }
  CHECK(store.commit(training::group({.group = 1})).stored == 2);
  CHECK(store.claim(request(9)).groups.size() == 2);
}

TEST_CASE("a read that fails leaves the store usable, also once another one has written",
          "[store]") {
  const TemporaryFolder folder;
  FaultyVfs disk(kOnlyCounted), sound(kOnlyCounted);
  SqliteStore other(folder / "store.sqlite", {.vfs = sound.name()});
  SqliteStore store(folder / "store.sqlite", {.lock_seconds = 0, .vfs = disk.name()});
  std::size_t failed = 0;
  for (bool is_failing = true; is_failing;) {
    other.commit(training::group({.group = failed}));  // what the store has in memory is old now
    disk.fail_read_in(failed + 1);
    is_failing =
        error_of([&] { store.claim(request(99)); }).find("disk I/O error") != std::string::npos;
    disk.fail_read_in(0);
    failed += is_failing ? 1 : 0;
    other.commit(training::group({.step = 1, .group = failed}));
    const std::string error = error_of([&] { store.give_back_all("reader"); });
    REQUIRE(error == "no error");
  }
  CHECK(failed > 3);  // of page 1, the totals, the groups and the rollouts at least
}

TEST_CASE("a damaged group is put aside, and the others are handed out", "[store]") {
  const TemporaryFolder folder;
  FaultyVfs disk(kOnlyCounted);
  std::int64_t time = 0;
  SqliteStore store(folder / "store.sqlite", {.now = [&] { return time; }, .vfs = disk.name()});
  for (const std::size_t g : {0U, 1U, 2U}) store.commit(training::group({.group = g}));
  const Lease old = store.claim(request()).groups.at(0).lease;
  time += 5000;
  {
    SqliteDatabase other(folder / "store.sqlite", disk.name());
    other.execute(
        "UPDATE rollouts SET bytes = zeroblob(200) WHERE id = (SELECT min(id) FROM rollouts)");
    other.execute("DELETE FROM rollouts WHERE id = (SELECT max(id) FROM rollouts)");
  }
  const ClaimResult claimed = store.claim(request(9));
  CHECK(claimed.damaged_groups == 2);
  REQUIRE(claimed.groups.size() == 1);
  CHECK(claimed.groups[0].rollouts.at(0).rollout().group == 1);
  CHECK(store.stats().damaged_groups == 2);
  CHECK(store.stats().rollouts == 2);
  CHECK(store.claim(request(9)).damaged_groups == 0);
  CHECK(store.acknowledge(std::span(&old, 1)).at(0) == LeaseStatus::lost);
  CHECK(store.stats().rollouts == 2);

  const std::size_t bytes = store.stats().bytes;
  for (const std::size_t g : {0U, 2U})
    CHECK(store.commit(training::group({.group = g})) == CommitResult{.stored = 2});
  CHECK(store.stats().damaged_groups == 0);
  CHECK(store.stats().rollouts == 6);
  CHECK(store.stats().bytes == 3 * bytes);
  const ClaimResult again = store.claim(request(9));
  REQUIRE(again.groups.size() == 2);
  CHECK(again.groups[1].rollouts.at(1).rollout().group == 2);
  store.acknowledge(std::vector{claimed.groups[0].lease, again.groups[0].lease});
  store.acknowledge(std::span(&again.groups[1].lease, 1));
  CHECK(store.stats().rollouts == 0);
  CHECK(store.stats().bytes == 0);
}

TEST_CASE("a store refuses files that it did not make, and places where it cannot be", "[store]") {
  const TemporaryFolder folder;
  std::ofstream(folder / "text.sqlite") << std::string(5000, 'x');
  CHECK(error_of([&] {
          SqliteStore store(folder / "text.sqlite");
        }).find("is not an SQLite database") != std::string::npos);
  { SqliteDatabase(folder / "other.sqlite").execute("CREATE TABLE t(x)"); }
  CHECK(error_of([&] {
          SqliteStore store(folder / "other.sqlite");
        }).find("an SQLite database for something else") != std::string::npos);
  {
    SqliteStore store(folder / "later.sqlite");
    SqliteDatabase(folder / "later.sqlite").execute("PRAGMA user_version = 99");
  }
  CHECK(error_of([&] {
          SqliteStore store(folder / "later.sqlite");
        }).find("the file has format 99, this library reads format 10103") != std::string::npos);
  CHECK(error_of([&] {
          SqliteStore store(folder / "nowhere/store.sqlite");
        }).find("the folder must exist") != std::string::npos);
  CHECK(error_of([&] {
          SqliteStore store(folder / "a.sqlite", {.lock_seconds = -1});
        }).find("lock_seconds is -1") != std::string::npos);
  CHECK(error_of([&] { SqliteStore store(folder / "a.sqlite", {.now = StoreClock()}); }) ==
        "now is empty (SqliteStoreOptions). Give a function");
  CHECK(error_of([&] { SqliteStore store(""); }) ==
        "a database has no file (SqliteDatabase). Name one");
  CHECK(!std::filesystem::exists(folder / "a.sqlite"));
}
