#include "dualagent/train/async_reinforcement.hpp"

#include <cstddef>
#include <vector>

#include "dualagent/store/memory_store.hpp"
#include "support/async_setting.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;
using async_setting::LearnerSide;
using async_setting::WorkerSide;

TEST_CASE("without staleness a learner and a worker make the bits of the synchronous run",
          "[train][async]") {
  const TemporaryFolder folder;
  const WeightFolder weights(folder / "weights");
  MemoryStore store;
  WorkerSide<MemoryStore> worker(store, weights, {.trainer = async_setting::options()});
  LearnerSide<MemoryStore> learner(
      store, weights, async_setting::async_options([&] { return worker.worker.advance(), true; }),
      async_setting::options());
  for (std::size_t step = 0; step < 4; ++step) {
    const RunRecord record = learner.work.step({step});
    learner.work.saved();
    CHECK(record.number("summaries").value() > 0.2);
    CHECK(record.number("forks").value() > 2);
    CHECK(record.number("updates").value() == 4);
    CHECK(record.number("max_abs_log_ratio").value() == 0.0);
  }
  const bool equal =
      learner.pair.weights() == async_setting::synchronous(4, async_setting::options());
  CHECK(equal);
  CHECK(store.stats().acknowledged_groups == 4 * async_setting::kTasks);
}
