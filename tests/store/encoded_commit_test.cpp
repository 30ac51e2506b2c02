#include "dualagent/store/encoded_commit.hpp"

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/training_rollouts.hpp"

using namespace dualagent;

TEST_CASE("a commit is encoded rollout by rollout", "[store]") {
  const auto group = training::group({.step = 4, .group = 9, .versions = {7, 3}});
  const std::vector<EncodedRollout> encoded = encode_commit(group);
  REQUIRE(encoded.size() == 2);
  CHECK(encoded[1].key == GroupKey{{"run", "writer", 4}, 9});
  CHECK(encoded[1].group_size == 2);
  CHECK(encoded[1].member == 1);
  CHECK(encoded[1].oldest == OldestVersions{.answerer = 7, .summarizer = 3});
  CHECK(encoded[1].bytes == encode_training_rollout(group[1]));
  CHECK(text_of(encoded[1].key) == "run run, writer writer, step 4, group 9");
}

TEST_CASE("a group fits, waits for room, or never fits", "[store]") {
  const EncodedRollout rollout = encode_commit(training::group({.size = 3}))[0];
  const StoreLimits limits{.max_rollouts = 8, .max_bytes = 1000};
  CHECK(!is_full_for(rollout, limits, 5, 0, false));
  CHECK(is_full_for(rollout, limits, 6, 0, false));
  CHECK(!is_full_for(rollout, limits, 0, 1000 - rollout.bytes.size(), false));
  CHECK(is_full_for(rollout, limits, 0, 1001 - rollout.bytes.size(), false));
  CHECK(error_of([&] { is_full_for(rollout, limits, 6, 0, true); }) ==
        "a commit does not fit into the empty store, which takes 8 rollouts and 1000 bytes (run "
        "run, writer writer, step 0, group 0). Commit fewer groups at once, or raise StoreLimits");
}

TEST_CASE("a group has one size", "[store]") {
  const EncodedRollout rollout = encode_commit(training::group({}))[0];
  CHECK(error_of([&] { require_group_size(rollout, 2); }) == "no error");
  CHECK(error_of([&] { require_group_size(rollout, 4); }) ==
        "a rollout is of a group of 2, the store has begun that group with 4 (run run, writer "
        "writer, step 0, group 0). Give each writer a name of its own");
}
