#include "dualagent/train/async_reinforcement.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "dualagent/store/memory_store.hpp"
#include "support/async_setting.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"
#include "support/warnings.hpp"

using namespace dualagent;
using async_setting::async_options;
using async_setting::kTasks;
using async_setting::LearnerSide;
using async_setting::options;
using async_setting::play_all;
using async_setting::WorkerSide;

namespace {

/// Commits the groups of a step in the reverse of the order in which they come.
class ReversingStore : public MemoryStore {
 public:
  CommitResult commit(std::span<const TrainingRollout> rollouts) {
    held_.emplace_back(rollouts.begin(), rollouts.end());
    for (; held_.size() >= kTasks || (emptying_ && !held_.empty()); held_.pop_back()) {
      emptying_ = held_.size() > 1;
      MemoryStore::commit(held_.back());
    }
    return {.stored = rollouts.size()};
  }

 private:
  std::vector<std::vector<TrainingRollout>> held_;
  bool emptying_ = false;
};

}  // namespace

TEST_CASE("without staleness a learner and a worker make the bits of the synchronous run",
          "[train][async]") {
  const TemporaryFolder folder;
  const WeightFolder weights(folder / "weights");
  MemoryStore store;
  WorkerSide<MemoryStore> side(store, weights, {.trainer = options()});
  LearnerSide<MemoryStore> learner(
      store, weights, async_options([&] { return side.worker.advance(), true; }), options());
  for (std::size_t step = 0; step < 4; ++step) {
    const RunRecord record = learner.work.step({step});
    learner.work.saved();
    CHECK(record.number("summaries").value() > 0.2);
    CHECK(record.number("forks").value() > 2);
    CHECK(record.number("updates").value() == 4);
    CHECK(record.number("max_abs_log_ratio").value() == 0.0);
    CHECK(record.number("staleness_max").value() == 0.0);
    CHECK(record.number("stale_groups").value() == 0.0);
  }
  const bool equal = learner.pair.weights() == async_setting::synchronous(4, options());
  CHECK(equal);
  CHECK(store.stats().acknowledged_groups == 4 * kTasks);
}

TEST_CASE("neither the order of commits nor the number of workers changes a bit",
          "[train][async]") {
  const TemporaryFolder folder;
  const WeightFolder weights(folder / "weights");
  ReversingStore store;
  WorkerSide<ReversingStore> even(store, weights,
                                  {.writer = "even", .part = {0, 2}, .trainer = options()});
  WorkerSide<ReversingStore> odd(store, weights,
                                 {.writer = "odd", .part = {1, 2}, .trainer = options()});
  LearnerSide<ReversingStore> learner(
      store, weights, async_options([&] { return play_all(odd.worker) && play_all(even.worker); }),
      options());
  for (std::size_t step = 0; step < 3; ++step) learner.work.step({step});
  const bool equal = learner.pair.weights() == async_setting::synchronous(3, options());
  CHECK(equal);
  CHECK(even.worker.metrics().groups == 6);
  CHECK(odd.worker.metrics().groups == 3);
}

TEST_CASE("a trainer's step is the same on groups in any order", "[train][async]") {
  const TemporaryFolder folder;
  const WeightFolder weights(folder / "weights");
  MemoryStore store;
  WorkerSide<MemoryStore> side(store, weights, {.trainer = options()});
  LearnerSide<MemoryStore> publisher(store, weights, async_options([] { return false; }),
                                     options());
  CHECK_THROWS_AS(publisher.work.step({0}), Error);  // it has published, and does not wait
  play_all(side.worker);
  ClaimResult claimed = store.claim({.run = "run", .reader = "test", .max_groups = kTasks});
  REQUIRE(claimed.groups.size() == kTasks);
  const std::vector<double> whole = async_setting::synchronous(1, options());
  for (std::size_t turn = 0; turn < kTasks; ++turn) {
    async_setting::Pair pair;
    async_setting::TrainerOfPair trainer{pair.roles(), pair.protocol(), two_tokens::LastToken{},
                                         Recipe{Dapo{}}, options()};
    trainer.step_on(claimed.groups);
    const bool equal = pair.weights() == whole;
    CHECK(equal);
    std::rotate(claimed.groups.begin(), claimed.groups.begin() + 1, claimed.groups.end());
  }
}

TEST_CASE("a worker in a thread of its own ends with the learner's run", "[train][async]") {
  const TemporaryFolder folder;
  const WeightFolder weights(folder / "weights");
  MemoryStore store;
  WorkerSide<MemoryStore> side(store, weights, {.trainer = options()});
  std::atomic<bool> failed{false};
  std::thread thread([&] {
    try {
      side.worker.run([](bool) { return std::this_thread::yield(), true; });
    } catch (...) {
      failed = true;
    }
  });
  AsyncOptions async = async_options([&] { return std::this_thread::yield(), !failed; });
  async.steps = 3;
  LearnerSide<MemoryStore> learner(store, weights, async, options());
  for (std::size_t step = 0; step < 3; ++step) learner.work.step({step});
  thread.join();
  const bool equal = learner.pair.weights() == async_setting::synchronous(3, options());
  CHECK(equal);
  CHECK(side.worker.metrics().groups == 3 * kTasks);
  CHECK(side.worker.metrics().refits == 3);
}

TEST_CASE("samplers run ahead by as many versions as may be trained on", "[train][async]") {
  const TemporaryFolder folder;
  const WeightFolder weights(folder / "weights");
  MemoryStore store;
  WorkerSide<MemoryStore> side(store, weights, {.trainer = options()});
  LearnerSide<MemoryStore> learner(
      store, weights, async_options([&] { return play_all(side.worker); }, 4), options());
  CHECK(learner.work.steps_ahead() == 2);  // a step makes two versions
  for (std::size_t step = 0; step < 4; ++step) {
    const RunRecord record = learner.work.step({step});
    const double stale = std::array{0, 2, 4, 4}[step];  // all is played as early as it may be
    CHECK(record.number("staleness").value() == stale);
    CHECK(record.number("staleness_max").value() == stale);
    CHECK(record.number("stale_groups").value() == 0.0);
    if (step == 0) CHECK(record.number("max_abs_log_ratio").value() == 0.0);
    if (step > 0) CHECK(record.number("max_abs_log_ratio").value() > 1e-3);
    play_all(side.worker);
  }
}

TEST_CASE("what is staler than a learner trains on is left out, counted and acknowledged",
          "[train][async]") {
  const TemporaryFolder folder;
  const WeightFolder weights(folder / "weights");
  MemoryStore store;
  WorkerSide<MemoryStore> side(store, weights, {.trainer = options()});
  LearnerSide<MemoryStore> first(
      store, weights, async_options([&] { return play_all(side.worker); }, 4), options());
  first.work.step({0});  // of steps 1 and 2 all is there, played with version 0
  Checkpoint checkpoint{.step = 1};
  first.work.save(checkpoint);
  write_checkpoint(folder / "checkpoints", checkpoint);

  LearnerSide<MemoryStore> stricter(
      store, weights, async_options([&] { return play_all(side.worker); }, 2), options());
  stricter.work.load(*latest_checkpoint(folder / "checkpoints", {}).checkpoint);
  CHECK(stricter.work.step({1}).number("staleness_max").value() == 2);
  const std::vector<double> before = stricter.pair.weights();
  const Warnings warnings;
  const RunRecord record = stricter.work.step({2});  // at version 4
  CHECK(record.number("stale_groups").value() == 3);
  CHECK(record.number("rollouts").value() == 0);
  CHECK(record.number("updates").value() == 0);
  CHECK(before == stricter.pair.weights());
  stricter.work.saved();
  CHECK(store.stats().acknowledged_groups == 9);
  CHECK(stricter.work.step({3}).number("stale_groups").value() == 0);
}

TEST_CASE("a max_staleness that lets nothing run ahead is refused", "[train][async]") {
  MemoryStore store;
  CHECK_THROWS_WITH(
      (LearnerSide<MemoryStore>(store, WeightFolder("unused"),
                                async_options(async_setting::never_waits, 1), options())),
      ContainsSubstring("max_staleness is 1, but one step makes 2 weight versions"));
  // One that a step's number cannot be added to: nothing would ever be played.
  AsyncOptions endless =
      async_options(async_setting::never_waits, std::numeric_limits<WeightVersion>::max());
  CHECK_THROWS_WITH((LearnerSide<MemoryStore>(store, WeightFolder("unused"), endless, options())),
                    ContainsSubstring("max_staleness is 18446744073709551615"));
}

TEST_CASE("a learner that could not wait is refused before its first step", "[train][async]") {
  MemoryStore store;
  AsyncOptions deaf = async_options({});
  deaf.pause = {};
  CHECK_THROWS_WITH((LearnerSide<MemoryStore>(store, WeightFolder("unused"), deaf, options())),
                    ContainsSubstring("pause is empty (AsyncOptions)"));
}

TEST_CASE("two runs share a store, and a learner that begins takes nothing from the other one",
          "[train][async]") {
  const TemporaryFolder folder;
  MemoryStore store;
  const WeightFolder one(folder / "one"), two(folder / "two");
  WorkerSide<MemoryStore> first(store, one, {.trainer = options()});
  WorkerSide<MemoryStore> second(store, two, {.trainer = options()});
  LearnerSide<MemoryStore> learner(
      store, one, async_options([&] { return play_all(first.worker); }), options());
  AsyncOptions other = async_options([&] { return play_all(second.worker); });
  other.run = "other";
  LearnerSide<MemoryStore> beside(store, two, other, options());
  learner.work.step({0});
  beside.work.step({0});
  CHECK(store.stats().claimed_groups == 2 * kTasks);
  const Warnings warnings;
  learner.work.saved();
  beside.work.saved();
  CHECK(warnings.count() == 0);
  CHECK(store.stats().acknowledged_groups == 2 * kTasks);
}

TEST_CASE("a learner that gives up waiting says for what, and its groups are there again",
          "[train][async]") {
  const TemporaryFolder folder;
  const WeightFolder weights(folder / "weights");
  MemoryStore store;
  WorkerSide<MemoryStore> half(store, weights, {.part = {0, 2}, .trainer = options()});
  LearnerSide<MemoryStore> learner(store, weights,
                                   async_options([&] { return half.worker.advance(); }), options());
  CHECK_THROWS_WITH(learner.work.step({0}),
                    ContainsSubstring("gave up waiting: step 0 has 2 of its 3 groups"));
  CHECK(store.stats().claimed_groups == 0);
  CHECK(store.stats().ready_groups == 2);

  WorkerSide<MemoryStore> same(store, weights,
                               {.writer = "same", .part = {0, 2}, .trainer = options()});
  LearnerSide<MemoryStore> again(store, weights,
                                 async_options([&] { return same.worker.advance(); }), options());
  CHECK_THROWS_WITH(again.work.step({0}), ContainsSubstring("of step 0 was played twice"));
}

TEST_CASE("a learner refuses groups of other options, and weights of another run",
          "[train][async]") {
  const TemporaryFolder folder;
  const WeightFolder weights(folder / "weights");
  MemoryStore store;
  WorkerSide<MemoryStore> side(store, weights, {.trainer = options()});
  LearnerSide<MemoryStore> learner(store, weights,
                                   async_options([&] { return play_all(side.worker); }), options());
  learner.work.step({0});
  CHECK_THROWS_WITH(learner.work.step({5}), ContainsSubstring("the trainer at 1"));

  AsyncOptions other = async_options(async_setting::never_waits);
  other.run = "other";
  LearnerSide<MemoryStore> stranger(store, weights, other, options());
  CHECK_THROWS_WITH(stranger.work.step({0}), ContainsSubstring("run was run and is other"));
  TrainerOptions without = options();
  without.summary_forks = {};
  LearnerSide<MemoryStore> unforked(store, WeightFolder(folder / "elsewhere"),
                                    async_options(async_setting::never_waits), without);
  learner.work.saved();
  store.forget("run");
  WorkerSide<MemoryStore> again(store, weights, {.trainer = options()});
  play_all(again.worker);  // step 1, with forks
  Checkpoint checkpoint{.step = 1};
  unforked.trainer.step(two_tokens::tasks(3));
  CHECK_THROWS_WITH(unforked.work.step({1}),
                    ContainsSubstring("was continued 3 times, the trainer compares 1") &&
                        ContainsSubstring("No weight has changed"));
}
