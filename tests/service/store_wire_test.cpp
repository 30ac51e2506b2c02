#include "dualagent/service/store_wire.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/training_rollouts.hpp"

using namespace dualagent;

TEST_CASE("calls and answers of a store come through the wire", "[service]") {
  const auto group = training::group({.size = 3});
  const auto rollouts = store_wire::read_commit(store_wire::commit_body(group));
  REQUIRE(rollouts.size() == 3);
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(encode_training_rollout(rollouts[i]) == encode_training_rollout(group[i]));

  const CommitResult result{
      .status = CommitStatus::disk_full, .stored = 1, .repeated = 2, .late = 3};
  CHECK(store_wire::read_commit_reply(store_wire::commit_reply(result).dump()) == result);

  ClaimRequest request{.run = "r\"\n",
                       .reader = "a",
                       .max_groups = 7,
                       .max_bytes = 8,
                       .step = 9,
                       .oldest = {3, 4},
                       .stale = StalePolicy::hand_out,
                       .lease_seconds = 0.25};
  ClaimRequest read = store_wire::read_claim(store_wire::claim_body(request).dump());
  CHECK((read.run == request.run && read.reader == "a" && read.max_groups == 7 &&
         read.max_bytes == 8));
  CHECK((read.step == 9U && read.oldest == AgentVersions{3, 4}));
  CHECK((read.stale == StalePolicy::hand_out && read.lease_seconds == 0.25));
  request.step.reset();
  CHECK(!store_wire::read_claim(store_wire::claim_body(request).dump()).step);

  ClaimResult claimed{.dropped_groups = 5, .damaged_groups = 6};
  claimed.groups.push_back(
      {.lease = {std::uint64_t{1} << 60}, .rollouts = group, .stale = true, .deliveries = 4});
  const ClaimResult got = store_wire::read_claim_reply(store_wire::claim_reply(claimed));
  CHECK((got.dropped_groups == 5 && got.damaged_groups == 6));
  REQUIRE(got.groups.size() == 1);
  CHECK(got.groups[0].lease == claimed.groups[0].lease);
  CHECK((got.groups[0].stale && got.groups[0].deliveries == 4));
  CHECK(got.groups[0].rollouts.size() == 3);

  const std::vector<Lease> leases{{1}, {~std::uint64_t{0}}};
  const store_wire::Fields fields(store_wire::leases_body(leases, 2.5).dump(), "test");
  CHECK(store_wire::read_leases(fields) == leases);
  CHECK(fields.real("seconds") == 2.5);
  const std::vector<LeaseStatus> statuses{LeaseStatus::lost, LeaseStatus::done,
                                          LeaseStatus::repeated};
  CHECK(store_wire::read_statuses(store_wire::statuses_reply(statuses).dump()) == statuses);
  const StoreStats stats{.rollouts = 1, .claimed_groups = 2, .dropped_groups = 3};
  CHECK(store_wire::read_stats(store_wire::stats_reply(stats).dump()) == stats);
}

TEST_CASE("what a store's wire cannot have carried is named", "[service]") {
  CHECK(error_of([] { store_wire::read_commit_reply(R"({"status":"gone"})"); }) ==
        "\"gone\" is not known (the answer to a commit). Use the same version of dualagent on both "
        "sides");
  CHECK(error_of([] { store_wire::read_commit_reply(R"({"status":"full","stored":-1})"); }) ==
        "stored is -1, not a whole number of at least 0 (the answer to a commit). Use the same "
        "version of dualagent on both sides");
  const std::string body = store_wire::commit_body(training::group({}));
  for (const std::size_t size : {std::size_t{0}, std::size_t{7}, body.size() - 1})
    CHECK(error_of([&] { store_wire::read_commit(body.substr(0, size)); }) != "no error");
  CHECK(error_of([&] { store_wire::read_commit(body + "x"); }).find("1 bytes follow the end") == 0);
}
