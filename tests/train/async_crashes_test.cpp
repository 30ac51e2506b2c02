// Learners of train/async_reinforcement.hpp that die, and start again.
#include <cstddef>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "dualagent/store/memory_store.hpp"
#include "dualagent/train/training_run.hpp"
#include "support/async_setting.hpp"
#include "support/catch.hpp"
#include "support/counting_run.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;
using async_setting::async_options;
using async_setting::kTasks;
using async_setting::LearnerSide;
using async_setting::options;
using async_setting::play_all;
using async_setting::WorkerSide;

namespace {

/// A learner's process that is killed.
struct LearnerKilled : std::runtime_error {
  LearnerKilled() : std::runtime_error("killed") {}
};

/// A learner's way to the store, on which it dies: at call number `dies_at`, before it has happened
/// or after it.
struct DyingStore {
  MemoryStore& store;
  std::size_t dies_at = 0;  // from 1; 0: never
  bool afterwards = false;
  std::size_t calls = 0;

  template <class Call>
  auto call(const Call& call) {
    const bool dies = ++calls == dies_at;
    if (dies && !afterwards) throw LearnerKilled();
    auto result = call();
    if (dies) throw LearnerKilled();
    return result;
  }
  CommitResult commit(std::span<const TrainingRollout> rollouts) { return store.commit(rollouts); }
  ClaimResult claim(const ClaimRequest& request) {
    return call([&] { return store.claim(request); });
  }
  std::vector<LeaseStatus> acknowledge(std::span<const Lease> leases) {
    return call([&] { return store.acknowledge(leases); });
  }
  std::vector<LeaseStatus> extend(std::span<const Lease> leases, double seconds) {
    return store.extend(leases, seconds);
  }
  /// Of a process that has died nothing is given back.
  std::vector<LeaseStatus> give_back(std::span<const Lease>) { throw LearnerKilled(); }
  std::size_t give_back_all(const std::string& reader) {
    return call([&] { return store.give_back_all(reader); });
  }
  void forget(const std::string& run) { store.forget(run); }
  StoreStats stats() { return store.stats(); }
};

}  // namespace

TEST_CASE("a learner that dies anywhere and starts again trains on each group once",
          "[train][async]") {
  constexpr std::size_t kLength = 2;
  const std::vector<double> whole = async_setting::synchronous(kLength, options());
  std::size_t deaths = 0;
  // Calls of the learner: 1 gives back; then in each step an empty claim, a full one (3, 6) and the
  // acknowledgement (4, 7). 8 to 10 are between update and record, record and checkpoint,
  // checkpoint and acknowledgement, of the first step or the last one.
  for (const std::size_t death : {3U, 4U, 6U, 7U, 8U, 9U, 10U})
    for (const bool afterwards : {false, true}) {
      const TemporaryFolder folder;
      const WeightFolder weights(folder / "weights");
      MemoryStore store;
      WorkerSide<MemoryStore> side(store, weights, {.trainer = options()});
      const auto live = [&](std::size_t dies_at, bool dies_in_run) {
        DyingStore way{store, dies_at, afterwards};
        LearnerSide<DyingStore> learner(
            way, weights, async_options([&] { return play_all(side.worker); }), options());
        counting::Screen screen;
        TrainingRun run(
            {.folder = folder.path(), .steps = kLength, .earlier_run = EarlierRun::resume},
            screen.screen());
        const auto die_at = [&](std::size_t here, std::size_t step) {
          if (dies_in_run && here == death && step + 1 == (afterwards ? kLength : 1))
            throw LearnerKilled();
        };
        run.every(1, [&](const RunRecord& record) { die_at(8, record.step); });
        run.after_record([&](const RunRecord& record) { die_at(9, record.step); });
        run.after_checkpoint([&](const auto&) { die_at(10, learner.trainer.steps_done() - 1); });
        try {
          static_cast<void>(run.train(learner.work));
        } catch (const LearnerKilled&) {
          ++deaths;
          return std::vector<double>{};
        }
        return learner.pair.weights();
      };
      std::vector<double> trained = live(death <= 7 ? death : 0, true);
      if (trained.empty()) trained = live(0, false);
      INFO("death " << death << (afterwards ? " afterwards" : " before"));
      const bool equal = trained == whole;
      CHECK(equal);
      const StoreStats stats = store.stats();
      CHECK(stats.acknowledged_groups == kLength * kTasks);
      CHECK(stats.claimed_groups == 0);
    }
  CHECK(deaths == 14);
}

TEST_CASE("a checkpoint acknowledges all steps since the one before it", "[train][async]") {
  const TemporaryFolder folder;
  const WeightFolder weights(folder / "weights");
  MemoryStore store;
  WorkerSide<MemoryStore> side(store, weights, {.trainer = options()});
  const auto live = [&](bool dies) {
    LearnerSide<MemoryStore> learner(
        store, weights, async_options([&] { return play_all(side.worker); }), options());
    counting::Screen screen;
    TrainingRun run({.folder = folder.path(),
                     .steps = 3,
                     .earlier_run = EarlierRun::resume,
                     .checkpoint_every = 3},
                    screen.screen());
    run.every(1, [&](const RunRecord& record) {
      CHECK(store.stats().acknowledged_groups == 0);
      if (dies && record.step == 2) throw LearnerKilled();
    });
    static_cast<void>(run.train(learner.work));
    return learner.pair.weights() == async_setting::synchronous(3, options());
  };
  CHECK_THROWS_AS(live(true), LearnerKilled);
  CHECK(store.stats().claimed_groups == 3 * kTasks);
  CHECK(live(false));  // from the beginning, with the same groups
  CHECK(store.stats().acknowledged_groups == 3 * kTasks);
  CHECK(side.worker.metrics().groups == 3 * kTasks);
}
