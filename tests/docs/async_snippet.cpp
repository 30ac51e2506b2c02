// The two processes of docs/asynchronous.md over an SqliteStore, which needs SQLite, run.
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <thread>
#include <vector>

#include "dualagent/dualagent.hpp"
#include "dualagent/store/sqlite_store.hpp"
#include "support/catch.hpp"
#include "support/guessing_pair.hpp"
#include "support/temporary_folder.hpp"

namespace da = dualagent;

namespace {

const da::TrainerOptions options{.group_size = 4, .seed = 1};

int sample(const std::filesystem::path& folder) try {
  BigramModel model = guessing::model();
  const auto protocol = guessing::protocol();
  da::TaskStream tasks(guessing::five_tasks(6), da::RandomStream::from_seed(1));
#include "asynchronous/two-processes-2.inc"
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}

int learn(const std::filesystem::path& folder, BigramModel& model, std::size_t steps) {
  const auto protocol = guessing::protocol();
#include "asynchronous/two-processes.inc"
  return 0;
}

}  // namespace

TEST_CASE("the page's sampler and learner train in two processes", "[docs]") {
  const TemporaryFolder folder;
  const pid_t sampler = ::fork();
  if (sampler == 0) ::_exit(sample(folder.path()));
  REQUIRE(sampler > 0);
  BigramModel model = guessing::model();
  CHECK(learn(folder.path(), model, 4) == 0);
  int status = 1;
  ::waitpid(sampler, &status, 0);
  CHECK(status == 0);
  const da::StoreStats stats = da::SqliteStore(folder / "rollouts.sqlite").stats();
  CHECK(stats.acknowledged_groups == 16);
  CHECK(stats.ready_groups == 0);
}
