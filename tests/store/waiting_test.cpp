#include "dualagent/store/waiting.hpp"

#include "dualagent/store/memory_store.hpp"
#include "support/catch.hpp"
#include "support/training_rollouts.hpp"

using namespace dualagent;

TEST_CASE("a writer waits until a full store has room, or gives up", "[store]") {
  MemoryStore store({.max_rollouts = 2});
  store.commit(training::group({.group = 0}));
  int pauses = 0;
  const auto give_up = [&] { return ++pauses < 3; };
  CHECK(commit_when_room(store, training::group({.group = 1}), give_up).status ==
        CommitStatus::full);
  CHECK(pauses == 3);
  const auto a_reader_comes = [&] {
    for (const ClaimedGroup& one : store.claim({.run = "run", .reader = "reader"}).groups)
      store.acknowledge(std::span(&one.lease, 1));
    return true;
  };
  CHECK(commit_when_room(store, training::group({.group = 1}), a_reader_comes).stored == 2);
}

TEST_CASE("a reader waits until there is a group, or gives up", "[store]") {
  MemoryStore store;
  const ClaimRequest request{.run = "run", .reader = "reader", .oldest = {.answerer = 2}};
  CHECK(claim_when_ready(store, request, [] { return false; }).groups.empty());
  std::size_t written = 0;
  const auto a_writer_comes = [&] {
    store.commit(training::group({.group = written, .versions = {written, 0}}));
    return ++written < 10;
  };
  const ClaimResult claimed = claim_when_ready(store, request, a_writer_comes);
  REQUIRE(claimed.groups.size() == 1);
  CHECK(claimed.groups[0].rollouts.at(0).rollout().group == 2);
  CHECK(claimed.dropped_groups == 2);
}
