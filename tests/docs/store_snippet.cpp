// The page's sampler and learner over an SqliteStore, which needs SQLite, run; and its laws.
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "dualagent/dualagent.hpp"
#include "dualagent/store/sqlite_store.hpp"
#include "laws/store_laws.hpp"
#include "support/bigram_model.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"
#include "support/toy_protocol.hpp"

namespace da = dualagent;

TEST_CASE("the page's sampler commits what its learner claims", "[docs]") {
  const TemporaryFolder folder;
  BigramModel model(toy::vocab);
  da::RolloutScheduler scheduler{
      da::SharedWeights{model},
      da::Protocol{toy::Dialect{}, toy::Tools{toy::Successor<>{}}, da::Never{}}};
  const std::vector<da::Task> tasks{{.id = "a", .prompt = "1", .answer = "2"},
                                    {.id = "b", .prompt = "2", .answer = "3"}};
  const da::RandomStream random = da::RandomStream::from_seed(1);
  const std::uint64_t step = 0;
  const da::WeightVersion version = model.weight_version();
  da::PackedBatch batch;
#include "store/playing-and-training.inc"
  CHECK(claimed.groups.size() == 2);
  CHECK(batch.rows() >= 8);
  CHECK(store.stats().acknowledged_groups == 2);
}

TEST_CASE("the page's laws run on a store", "[docs]") {
  using MyStore = da::MemoryStore;
#include "store/a-store-of-your-own.inc"
  SUCCEED();
}
