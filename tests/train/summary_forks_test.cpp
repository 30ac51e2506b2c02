#include "dualagent/train/summary_forks.hpp"

#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "dualagent/collective/local.hpp"
#include "dualagent/objective/advantage.hpp"
#include "dualagent/train/step_rollouts.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

namespace {

const RandomStream kRandom = RandomStream::from_seed(0);

/// A rollout that has asked for this many summaries, one per segment.
Rollout with_summaries(std::size_t member, std::size_t summaries,
                       RolloutStatus status = RolloutStatus::finished) {
  Rollout rollout{.task_id = "t", .member = member, .status = status};
  for (std::size_t s = 0; s <= summaries; ++s) {
    Context context;
    context.append(Provenance::prompt, std::vector<Token>{1, 2});
    rollout.segments.push_back({AgentRole::answerer, {}, std::move(context)});
    if (s < summaries) rollout.summary_requests.push_back({.segment = s, .position = 2});
  }
  rollout.summaries = summaries;
  return rollout;
}

/// Rewards are prepared by whoever plays.
struct Prepared {
  std::optional<double> score(const Task&, const Rollout& rollout) const {
    return std::stod(*rollout.answer);
  }
};

}  // namespace

TEST_CASE("forked histories are of different rollouts that have one", "[train]") {
  std::vector<Rollout> group;
  for (std::size_t m = 0; m < 4; ++m) group.push_back(with_summaries(m, 3));
  group.push_back(with_summaries(4, 0));
  group.push_back(with_summaries(5, 2, RolloutStatus::aborted));
  const SummaryForks options{.continuations = 4, .histories_per_group = 3};
  std::set<std::size_t> sources, summaries;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const auto forks = choose_forks(group, 100, options, RandomStream::from_seed(seed));
    REQUIRE(forks.size() == 3);
    std::set<std::size_t> of_group;
    for (const ForkGroup& fork : forks) {
      CHECK(of_group.insert(fork.source).second);
      sources.insert(fork.source);
      summaries.insert(fork.summary);
    }
  }
  CHECK(sources == std::set<std::size_t>{100, 101, 102, 103});
  CHECK(summaries == std::set<std::size_t>{0, 1, 2});
  CHECK(choose_forks(std::span(group).subspan(4), 0, options, RandomStream::from_seed(1)).empty());
}

TEST_CASE("no continuation at all is refused", "[train]") {
  CHECK_THROWS_WITH(SummaryForks{.continuations = 0}.validate(), ContainsSubstring("SummaryForks"));
}

TEST_CASE("a summary is judged by its own continuations, not by other conversations", "[train]") {
  // Member 0's history is lost: whatever is said of it ends with 0. Member 1's is won, unless the
  // summary is bad: its own summary was, its forks' were not. The mixed group {0, 1} of the two
  // summaries calls the lost history's summary bad and the bad summary good.
  const auto play = [&](std::span<const RolloutStart> starts, const RandomStream&) {
    std::vector<Rollout> rollouts;
    for (const RolloutStart& start : starts) {
      Rollout rollout = with_summaries(start.member, 1);
      rollout.group = start.group;
      const std::size_t history = start.source == nullptr ? start.member : start.source->member;
      rollout.answer = history == 0 ? "0" : start.source == nullptr ? "0.5" : "1";
      rollouts.push_back(std::move(rollout));
    }
    return rollouts;
  };
  const std::vector<Task> tasks{{.id = "t"}};
  StepRollouts step(2, {.continuations = 3, .histories_per_group = 2});
  step.play_groups(tasks, kRandom, play, Prepared{}, LocalCollective{});
  step.estimate_advantages(GroupCentered{});
  const Span summary{.agent = AgentRole::summarizer, .begin = 2, .size = 1};
  CHECK(step.advantage(0).of(0, summary) == -0.25);
  CHECK(step.advantage(1).of(0, summary) == 0.25);

  step.fork(RandomStream::from_seed(3), kRandom, play, Prepared{});
  step.estimate_advantages(GroupCentered{});
  REQUIRE(step.forks().size() == 4);
  // Rewards of the lost history's continuations: 0, 0, 0; of the other's: 0.5, 1, 1.
  CHECK(step.advantage(0).of(0, summary) == 0.0);
  CHECK(step.advantage(1).of(0, summary) == Approx(0.5 - 2.5 / 3));
  double of_forks = 0;
  for (std::size_t i = 2; i < 6; ++i) of_forks += step.advantage(i).of(0, summary);
  CHECK(of_forks == Approx(2 * (1 - 2.5 / 3)));
  // What was said before the fork is still judged by the task's rollouts.
  const Span before{.begin = 1, .size = 1};
  CHECK(step.advantage(0).of(0, before) == -0.25);
  CHECK(step.advantage(1).of(0, before) == 0.25);
  CHECK(step.advantage(1).of(1, before) == Approx(0.5 - 2.5 / 3));  // a later segment
}

TEST_CASE("equal groups are replaced by spare tasks until they differ or none is left", "[train]") {
  // A task's id says the rewards of its two rollouts; 3 and 4 differ by rounding alone.
  const auto play = [](std::span<const RolloutStart> starts, const RandomStream&) {
    std::vector<Rollout> rollouts;
    for (const RolloutStart& start : starts) {
      Rollout rollout{.task_id = start.task->id, .group = start.group, .member = start.member};
      const char digit = start.task->id[start.member];
      rollout.answer = digit == '4' ? "3.0000000000000004" : std::string(1, digit);
      rollouts.push_back(std::move(rollout));
    }
    return rollouts;
  };
  const auto ids = [](const StepRollouts& step) {
    std::vector<std::string> found;
    for (const Rollout& rollout : step.originals())
      if (rollout.member == 0) found.push_back(rollout.task_id);
    return found;
  };
  const auto named = [](std::vector<std::string> names) {
    std::vector<Task> tasks;
    for (std::string& name : names) tasks.push_back({.id = std::move(name)});
    return tasks;
  };
  const std::vector<Task> tasks = named({"00", "01", "11", "10"});
  LocalCollective alone;
  StepRollouts step(2, {});
  const auto replaced = [&](std::vector<std::string> spare_names) {
    const std::vector<Task> spare = named(std::move(spare_names));
    step.play_groups(tasks, kRandom, play, Prepared{}, alone);
    const std::size_t used = step.replace_equal_groups(spare, kRandom, play, Prepared{}, alone);
    return std::pair{used, ids(step)};
  };
  using Names = std::vector<std::string>;
  CHECK(replaced({}) == std::pair{std::size_t{0}, Names{"00", "01", "11", "10"}});
  CHECK(replaced({"12"}) == std::pair{std::size_t{1}, Names{"12", "01", "11", "10"}});
  // Both equal groups, then the second once more; "34" is not needed.
  CHECK(replaced({"12", "22", "23", "34"}) ==
        std::pair{std::size_t{3}, Names{"12", "01", "23", "10"}});
  CHECK(replaced({"34", "43", "12", "32"}) ==
        std::pair{std::size_t{4}, Names{"12", "01", "32", "10"}});
  CHECK(replaced({"22", "33", "55"}) == std::pair{std::size_t{3}, Names{"55", "01", "33", "10"}});
  CHECK(step.originals()[4].reward == 3.0);
}

TEST_CASE("forks of no history are refused", "[train]") {
  CHECK_THROWS_WITH((SummaryForks{.continuations = 4, .histories_per_group = 0}.validate()),
                    ContainsSubstring("histories_per_group is 0"));
  CHECK_NOTHROW((SummaryForks{.continuations = 1, .histories_per_group = 0}.validate()));
}
