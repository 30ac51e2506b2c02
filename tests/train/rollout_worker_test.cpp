#include "dualagent/train/rollout_worker.hpp"

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/model/scripted.hpp"
#include "dualagent/store/memory_store.hpp"
#include "support/async_setting.hpp"
#include "support/catch.hpp"
#include "support/remote_engine.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;
using async_setting::async_options;
using async_setting::kTasks;
using async_setting::LearnerSide;
using async_setting::options;
using async_setting::WorkerSide;

namespace {

/// All that the store has ready, as (step, group).
std::set<std::pair<std::uint64_t, std::size_t>> ready(MemoryStore& store) {
  std::set<std::pair<std::uint64_t, std::size_t>> keys;
  const ClaimResult claimed = store.claim({.run = "run", .reader = "look", .max_groups = 100});
  for (const ClaimedGroup& group : claimed.groups)
    keys.insert({group.rollouts.at(0).source().step, group.rollouts.at(0).rollout().group});
  store.give_back_all("look");
  return keys;
}

struct Setting {
  TemporaryFolder folder;
  WeightFolder weights{folder / "weights"};
  MemoryStore store;
};

/// Publishes the learner's first weights, and trains on nothing.
template <class Store>
void publish_first(Store& store, const WeightFolder& weights, AsyncOptions async) {
  async.pause = [] { return false; };
  LearnerSide<Store> learner(store, weights, async, options());
  CHECK_THROWS_WITH(learner.work.step({0}), ContainsSubstring("gave up waiting"));
}

}  // namespace

TEST_CASE("a worker plays its part of the steps that it may begin, and then is idle",
          "[train][async]") {
  Setting at;
  WorkerSide<MemoryStore> side(at.store, at.weights, {.part = {1, 2}, .trainer = options()});
  CHECK(!side.worker.advance());  // nothing was published
  publish_first(at.store, at.weights,
                async_options(async_setting::never_waits, 4));  // two steps ahead
  while (side.worker.advance()) {
  }
  CHECK(ready(at.store) == std::set<std::pair<std::uint64_t, std::size_t>>{{0, 1}, {1, 1}, {2, 1}});
  CHECK(side.worker.metrics().groups == 3);
  CHECK(side.worker.metrics().refits == 0);
  CHECK(side.worker.metrics().weight_seconds > 0);
  CHECK(side.worker.metrics().room_seconds == 0);
  CHECK(!side.worker.ended());
}

TEST_CASE("a worker that no group of a step is for is refused, not idle for ever",
          "[train][async]") {
  Setting at;
  const WorkerOptions last{.part = {kTasks - 1, kTasks + 2}, .trainer = options()};
  const WorkerOptions none{.part = {kTasks, kTasks + 2}, .trainer = options()};
  WorkerSide<MemoryStore> side(at.store, at.weights, last), idle(at.store, at.weights, none);
  publish_first(at.store, at.weights, async_options(async_setting::never_waits));
  CHECK(side.worker.advance());
  CHECK_THROWS_WITH(idle.worker.advance(),
                    ContainsSubstring("nothing to play for part 3 of 5: a step has 3 groups") &&
                        ContainsSubstring("AsyncOptions::tasks"));
}

TEST_CASE("a worker plays nothing beyond the last step", "[train][async]") {
  Setting at;
  WorkerSide<MemoryStore> side(at.store, at.weights, {.trainer = options()});
  AsyncOptions async = async_options([&] { return side.worker.advance(), true; }, 4);
  async.steps = 2;
  LearnerSide<MemoryStore> learner(at.store, at.weights, async, options());
  learner.work.step({0});
  CHECK(!side.worker.ended());
  learner.work.step({1});
  side.worker.run([](bool) { return true; });
  CHECK(side.worker.ended());
  CHECK(side.worker.metrics().groups == 2 * kTasks);
  CHECK(at.store.stats().ready_groups == 0);
}

TEST_CASE("a worker holds its groups until the store has room, and begins nothing meanwhile",
          "[train][async]") {
  Setting at;
  MemoryStore small({.max_rollouts = 6});  // one group, with two forks or without
  WorkerSide<MemoryStore> side(small, at.weights, {.trainer = options()});
  publish_first(small, at.weights, async_options(async_setting::never_waits, 40));
  while (side.worker.advance()) {
  }
  CHECK(small.stats().ready_groups == 1);
  CHECK(!side.worker.advance());
  CHECK(side.worker.metrics().room_seconds > 0);
  for (std::size_t taken = 1; taken < 20; ++taken) {
    const ClaimResult claimed = small.claim({.run = "run", .reader = "learner"});
    REQUIRE(claimed.groups.size() == 1);
    small.acknowledge(std::vector{claimed.groups[0].lease});
    while (side.worker.advance()) {
    }
    CHECK(small.stats().ready_groups == 1);
  }
}

TEST_CASE("a worker that died in the middle of its groups plays them again, whoever it was",
          "[train][async]") {
  Setting at;
  TrainerOptions one_by_one = options();
  one_by_one.scheduler.max_live_episodes = 1;  // a group at a time: a death leaves two unplayed
  std::optional<WorkerSide<MemoryStore>> side(std::in_place, at.store, at.weights,
                                              WorkerOptions{.trainer = one_by_one});
  std::size_t deaths = 0;
  AsyncOptions async = async_options([&] {
    if (side->worker.metrics().groups > 0 && deaths < 3) {  // of three
      ++deaths;
      side.emplace(at.store, at.weights, WorkerOptions{.trainer = one_by_one});
    }
    side->worker.advance();
    return true;
  });
  LearnerSide<MemoryStore> learner(at.store, at.weights, async, options());
  for (std::size_t step = 0; step < 3; ++step) learner.work.step({step});
  const bool equal = learner.pair.weights() == async_setting::synchronous(3, options());
  CHECK(equal);
  CHECK(deaths == 3);
  CHECK(at.store.stats().repeated_rollouts >= 3 * 4);  // a group at each death, forks not counted
}

TEST_CASE("what a worker plays again with newer weights leaves the groups that are there",
          "[train][async]") {
  Setting at;
  std::optional<WorkerSide<MemoryStore>> side(std::in_place, at.store, at.weights,
                                              WorkerOptions{.trainer = options()});
  const auto play = [&] {
    while (side->worker.advance()) {
    }
    return true;
  };
  LearnerSide<MemoryStore> learner(at.store, at.weights, async_options(play, 4), options());
  learner.work.step({0});
  side.emplace(at.store, at.weights, WorkerOptions{.trainer = options()});
  play();  // steps 1 and 2 again, with the weights of step 1 and other numbers of forks
  CHECK(learner.work.step({1}).number("staleness_max").value() == 2);
  CHECK(learner.work.step({2}).number("staleness_max").value() == 4);
  CHECK(at.store.stats().repeated_rollouts > 0);
}

TEST_CASE("a worker whose options are not the learner's is told which", "[train][async]") {
  Setting at;
  publish_first(at.store, at.weights, async_options(async_setting::never_waits));
  TrainerOptions other = options();
  other.group_size = 6;
  other.seed = 6;
  other.update.optimizer.learning_rate = 1;  // the learner's business
  WorkerSide<MemoryStore> side(at.store, at.weights, {.trainer = other});
  CHECK_THROWS_WITH(side.worker.advance(), ContainsSubstring("group_size was 4 and is 6") &&
                                               ContainsSubstring("seed was 5 and is 6") &&
                                               !ContainsSubstring("learning_rate"));
  CHECK_THROWS_WITH((WorkerSide<MemoryStore>(at.store, at.weights, {.part = {2, 2}})),
                    ContainsSubstring("part 2 of 2"));
}

TEST_CASE("a worker hands new weights to a sampler that is another object", "[train][async]") {
  Setting at;
  BigramModel learned = async_setting::model(), copy(toy::vocab);
  RemoteEngine engine(toy::vocab);
  ScriptedModel summarizer(toy::vocab, [](std::span<const Token>, AgentRole, const RandomStream&) {
    return std::vector<Token>{toy::summary, toy::end};
  });
  std::atomic<int> calls{0};
  const TrainerOptions plain{.group_size = 4, .minibatches = 1, .seed = 5};
  Trainer trainer{SeparateWeights{learned, Frozen{summarizer}}, two_tokens::protocol(calls),
                  two_tokens::LastToken{}, Recipe{Dapo{}, AnswererOnly{}}, plain};
  TaskStream tasks = async_setting::tasks();
  RolloutWorker worker{SeparateWeights{Learning{copy, engine}, Frozen{summarizer}},
                       two_tokens::protocol(calls),
                       two_tokens::LastToken{},
                       tasks,
                       Exchange{at.store, at.weights},
                       {.trainer = plain}};
  AsyncReinforcement work{trainer, Exchange{at.store, at.weights},
                          async_options([&] { return worker.advance(), true; })};
  for (std::size_t step = 0; step < 3; ++step)
    CHECK(work.step({step}).number("staleness_max").value() == 0);
  worker.advance();
  CHECK(engine.published() == std::vector<WeightVersion>{0, 1, 2, 3});
  CHECK(
      std::equal(copy.parameters().begin(), copy.parameters().end(), learned.parameters().begin()));
  CHECK(worker.metrics().refits == 3);
}
