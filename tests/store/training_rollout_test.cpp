#include "dualagent/store/training_rollout.hpp"

#include <type_traits>
#include <vector>

#include "dualagent/train/evaluation.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/training_rollouts.hpp"

using namespace dualagent;

TEST_CASE("a rollout of an evaluation is not a training rollout", "[store]") {
  using OfEvaluation = decltype(Evaluation::rollouts)::value_type;
  CHECK(!std::is_constructible_v<TrainingRollout, OfEvaluation>);
  CHECK(!std::is_constructible_v<TrainingRollout, RolloutSource, std::size_t, OfEvaluation>);
  CHECK(!std::is_default_constructible_v<TrainingRollout>);
}

TEST_CASE("the oldest versions are those of the rollout's own tokens, by agent", "[store]") {
  Rollout rollout;
  Context context;
  context.append(Provenance::inherited, std::vector<Token>{1});  // version 0, and given
  context.append(
      BackendAccess::sampled(AgentRole::answerer, {7, 6, 8}, {1, 2, 3}, {-1.0F, -1.0F, -1.0F}));
  rollout.segments.push_back({.context = context});
  CHECK(oldest_versions(rollout) == OldestVersions{.answerer = 6});
  Context other;
  other.append(BackendAccess::sampled(AgentRole::summarizer, 3, {1}, {-1.0F}));
  rollout.segments.push_back({.owner = AgentRole::summarizer, .context = other});
  const OldestVersions oldest = oldest_versions(rollout);
  CHECK(oldest == OldestVersions{.answerer = 6, .summarizer = 3});
  CHECK(!oldest.is_below({.answerer = 6, .summarizer = 3}));
  CHECK(oldest.is_below({.answerer = 7}));
  CHECK(oldest.is_below({.summarizer = 4}));
  CHECK(!OldestVersions{}.is_below({.answerer = 9, .summarizer = 9}));
}

TEST_CASE("a training rollout has a source and a place in its group", "[store]") {
  const auto error = [](RolloutSource source, std::size_t size, Rollout rollout) {
    return error_of([&] { TrainingAccess::make(source, size, rollout); });
  };
  CHECK(error({"", "writer", 0}, 1, {}) ==
        "a training rollout has no run or no writer (RolloutSource). Set RolloutSource::run and "
        "RolloutSource::writer");
  CHECK(error({"run", "", 0}, 1, {}).find("no writer") != std::string::npos);
  CHECK(error({"run", "writer", 0}, 2, {.group = 4, .member = 2}) ==
        "there is no such member in a group of 2 (group 4, member 2). Number the rollouts of a "
        "group from 0, forks last; at most 1048576");
  CHECK(error({"run", "writer", std::uint64_t{1} << 62}, 1, {}).find("above 2^62") !=
        std::string::npos);
  CHECK(error({"run", "writer", 0}, std::size_t{1} << 21, {}).find("no such member") !=
        std::string::npos);
  const TrainingRollout made = training::rollout({.step = 3, .group = 2, .size = 5}, 4);
  CHECK(made.source() == RolloutSource{"run", "writer", 3});
  CHECK(made.group_size() == 5);
  CHECK(made.rollout().member == 4);
}
