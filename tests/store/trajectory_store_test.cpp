#include "dualagent/store/trajectory_store.hpp"

#include "dualagent/store/memory_store.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

namespace {
struct OnlyCommits {
  CommitResult commit(std::span<const TrainingRollout>) { return {}; }
};
}  // namespace

TEST_CASE("a store has every part that the concept names", "[store]") {
  CHECK(TrajectoryStore<MemoryStore>);
  CHECK(!TrajectoryStore<OnlyCommits>);
  CHECK(detail::HasStoreCommit<OnlyCommits>);
  CHECK(!TrajectoryStore<int>);
}

TEST_CASE("a claim that cannot be meant is refused", "[store]") {
  const auto error = [](const ClaimRequest& request) {
    return error_of([&] { request.validate(); });
  };
  CHECK(error({.run = "run", .reader = "reader"}) == "no error");
  CHECK(error({.run = "run"}) ==
        "a claim has no run or no reader (ClaimRequest). Set ClaimRequest::run and "
        "ClaimRequest::reader");
  CHECK(error({.reader = "reader"}).find("no run") != std::string::npos);
  CHECK(error({.run = "run", .reader = "reader", .max_groups = 0}) ==
        "max_groups is 0 (ClaimRequest). Set it to a finite number of at least 1");
  CHECK(error({.run = "run", .reader = "reader", .oldest = {.answerer = WeightVersion{1} - 2}}) ==
        "a claim's step or oldest version is above 2^62 (ClaimRequest). Subtract from a version "
        "only what it has");
  CHECK(
      error({.run = "run", .reader = "reader", .lease_seconds = 0}) ==
      "lease_seconds is 0 (ClaimRequest). Set it to a number of at least 0.001 and at most 1e+09");
  CHECK(error({.run = "run", .reader = "reader", .lease_seconds = 1e-4}) != "no error");
}

TEST_CASE("limits of a store that cannot be meant are refused", "[store]") {
  CHECK(error_of([] { StoreLimits{}.validate(); }) == "no error");
  CHECK(error_of([] { StoreLimits{.max_bytes = 0}.validate(); }) ==
        "max_bytes is 0 (StoreLimits). Set it to a finite number of at least 1");
}
