#include "dualagent/store/memory_store.hpp"

#include <memory>
#include <vector>

#include "laws/store_laws.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

TEST_CASE("a store in memory keeps every law of a store", "[store]") {
  const auto violations = laws::of_store([](StoreLimits limits, StoreClock now) {
    return std::make_unique<MemoryStore>(limits, now);
  });
  CHECK(violations == std::vector<std::string>{});
}

namespace {

/// Stores a repeated commit again under another step.
class DoublingStore {
 public:
  DoublingStore(StoreLimits limits, StoreClock now) : store_(limits, std::move(now)) {}
  CommitResult commit(std::span<const TrainingRollout> rollouts) {
    CommitResult result = store_.commit(rollouts);
    if (result.repeated == 0) return result;
    std::vector<TrainingRollout> again;
    for (const TrainingRollout& one : rollouts) {
      RolloutSource source = one.source();
      source.step += 1000;
      again.push_back(TrainingAccess::make(source, one.group_size(), one.rollout()));
    }
    store_.commit(again);
    return result;
  }
  ClaimResult claim(const ClaimRequest& request) { return store_.claim(request); }
  auto acknowledge(std::span<const Lease> leases) { return store_.acknowledge(leases); }
  auto extend(std::span<const Lease> leases, double seconds) {
    return store_.extend(leases, seconds);
  }
  auto give_back(std::span<const Lease> leases) { return store_.give_back(leases); }
  std::size_t give_back_all(const std::string& reader) { return store_.give_back_all(reader); }
  void forget(const std::string& run) { store_.forget(run); }
  StoreStats stats() { return store_.stats(); }

 private:
  MemoryStore store_;
};

}  // namespace

TEST_CASE("the laws of a store find one that doubles", "[store]") {
  static_assert(TrajectoryStore<DoublingStore>);
  const auto violations = laws::of_store([](StoreLimits limits, StoreClock now) {
    return std::make_unique<DoublingStore>(limits, now);
  });
  REQUIRE(!violations.empty());
  CHECK(violations[0] == "a repeated commit makes no second group");
}

TEST_CASE("a store in memory refuses limits that cannot be meant", "[store]") {
  CHECK(error_of([] { MemoryStore store({.max_rollouts = 0}); }) ==
        "max_rollouts is 0 (StoreLimits). Set it to a finite number of at least 1");
}

TEST_CASE("a store in memory refuses an empty clock", "[store]") {
  CHECK(error_of([] { MemoryStore store({}, StoreClock()); }) ==
        "now is empty (MemoryStore). Give a function");
}
