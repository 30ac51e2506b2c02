#include "dualagent/store/training_rollout_codec.hpp"

#include <cstddef>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/training_rollouts.hpp"

using namespace dualagent;

TEST_CASE("a training rollout travels bit by bit", "[store]") {
  const TrainingRollout sent =
      training::rollout({.run = "a run", .writer = "node-7", .step = 12, .group = 3, .size = 4}, 1);
  const std::vector<std::byte> bytes = encode_training_rollout(sent);
  const TrainingRollout got = decode_training_rollout(bytes, "test");
  CHECK(got.source() == RolloutSource{"a run", "node-7", 12});
  CHECK(got.group_size() == 4);
  CHECK(encode_rollout(got.rollout()) == encode_rollout(sent.rollout()));
  CHECK(encode_training_rollout(got) == bytes);
}

TEST_CASE("no damaged training rollout is read", "[store]") {
  const std::vector<std::byte> bytes = encode_training_rollout(training::rollout({}, 0));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::vector<std::byte> damaged = bytes;
    damaged[i] ^= static_cast<std::byte>(1U << (i % 8));
    CHECK(error_of([&] { decode_training_rollout(damaged, "test"); }) != "no error");
  }
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CHECK(error_of([&] { decode_training_rollout(std::span(bytes).first(size), "test"); }) !=
          "no error");
}

TEST_CASE("what is not a training rollout is named", "[store]") {
  const std::vector<std::byte> rollout = encode_rollout(training::rollout({}, 0).rollout());
  CHECK(error_of([&] { decode_training_rollout(rollout, "a file"); }) ==
        "not an encoded training rollout (a file). Give bytes that encode_training_rollout made");
  std::vector<std::byte> later = encode_training_rollout(training::rollout({}, 0));
  later[8] = std::byte{9};
  CHECK(error_of([&] { decode_training_rollout(later, "a file"); }) ==
        "an encoded training rollout has format 9, this library reads format 1 (a file). Use the "
        "library version that wrote it");
}
