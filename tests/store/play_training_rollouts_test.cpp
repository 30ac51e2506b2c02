#include "dualagent/store/play_training_rollouts.hpp"

#include <vector>

#include "dualagent/trace/rollout_codec.hpp"
#include "support/bigram_model.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

namespace {

const std::vector<Task> kTasks = {{.id = "a", .prompt = "1", .answer = "2"},
                                  {.id = "b", .prompt = "3", .answer = "4"}};

auto protocol() { return Protocol{toy::Dialect{}, toy::Tools{toy::Successor<>{}}, Never{}}; }

}  // namespace

TEST_CASE("training rollouts are the scheduler's, scored, in groups", "[store]") {
  BigramModel model(toy::vocab);
  RolloutScheduler scheduler{SharedWeights{model}, protocol()};
  const RandomStream random = RandomStream::from_seed(5);
  const TrainingPlay play{.source = {"run", "sampler", 6}, .group_size = 3, .first_group = 10};
  const auto training =
      play_training_rollouts(scheduler, kTasks, ExactMatch{.failure = -1}, random, play);
  std::vector<Rollout> expected = scheduler.run(kTasks, 3, {}, random, 10);
  score_rollouts(ExactMatch{.failure = -1}, std::span(expected),
                 [](const Rollout& rollout) -> const Task& { return kTasks[rollout.group - 10]; });
  REQUIRE(training.size() == 6);
  for (std::size_t i = 0; i < 6; ++i) {
    CHECK(training[i].source() == play.source);
    CHECK(training[i].group_size() == 3);
    CHECK(training[i].rollout().group == 10 + i / 3);
    CHECK(training[i].rollout().member == i % 3);
    CHECK(training[i].rollout().reward != 0);
    CHECK(encode_rollout(training[i].rollout()) == encode_rollout(expected[i]));
  }
}

TEST_CASE("a group without rollouts is refused", "[store]") {
  BigramModel model(toy::vocab);
  RolloutScheduler scheduler{SharedWeights{model}, protocol()};
  CHECK(error_of([&] {
          play_training_rollouts(scheduler, kTasks, ExactMatch{}, RandomStream{},
                                 {.source = {"run", "sampler", 0}, .group_size = 0});
        }) ==
        "group_size is 0 (TrainingPlay). Set it to a number of at least 1 and at most 1048576");
}

TEST_CASE("what no training rollout can be is refused before anything is played", "[store]") {
  BigramModel model(toy::vocab);
  RolloutScheduler scheduler{SharedWeights{model}, protocol()};
  const auto refused = [&](TrainingPlay play) {
    return error_of([&] {
      play_training_rollouts(scheduler, std::span<const Task>(), ExactMatch{}, RandomStream{},
                             play);
    });
  };
  CHECK(refused({.source = {"run", "sampler", 0}}) == "no error");
  CHECK_THAT(refused({.source = {"", "sampler", 0}}), ContainsSubstring("no run or no writer"));
  CHECK_THAT(refused({.source = {"run", "", 0}}), ContainsSubstring("no run or no writer"));
  CHECK_THAT(refused({.source = {"run", "sampler", 0}, .group_size = (1U << 20U) + 1}),
             ContainsSubstring("group_size is 1048577"));
  CHECK_THAT(refused({.source = {"run", "sampler", std::uint64_t{1} << 62U}}),
             ContainsSubstring("above 2^62"));
}
