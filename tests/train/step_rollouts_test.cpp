#include "dualagent/train/step_rollouts.hpp"

#include <cstddef>
#include <numeric>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/collective/local.hpp"
#include "dualagent/objective/advantage.hpp"
#include "support/catch.hpp"

using namespace dualagent;

namespace {

/// One rank of several; sums add what `others` holds for the arrays, in the order of the calls.
struct OneOfSeveral {
  std::size_t own_rank = 0, ranks = 1;
  std::vector<std::vector<double>> others = {};
  std::size_t sums = 0;
  std::size_t rank() const { return own_rank; }
  std::size_t size() const { return ranks; }
  void all_reduce_sum(std::span<double> values) {
    const std::vector<double>& other = others.at(sums++);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] += other.at(i);
  }
};

/// A digit is a reward, 't' a truncated rollout of reward 0, 'a' an aborted one and '-' one of
/// which the reward abstains. The id of a task has a character for each member.
Rollout made_of(const RolloutStart& start, char kind) {
  Rollout rollout{.task_id = start.task->id, .group = start.group, .member = start.member};
  if (kind == 'a') rollout.status = RolloutStatus::aborted;
  if (kind == 't') rollout.status = RolloutStatus::truncated;
  rollout.answer = std::string(1, kind);
  Context context;
  context.append(Provenance::prompt, std::vector<Token>{7});
  context.append(BackendAccess::sampled(AgentRole::answerer, 0, std::vector<Token>(start.group + 1),
                                        std::vector<float>(start.group + 1)));
  rollout.segments.push_back({AgentRole::answerer, {}, std::move(context)});
  return rollout;
}

struct ByAnswer {
  std::optional<double> score(const Task& task, const Rollout& rollout) const {
    if (task.id != rollout.task_id) return 1000.0;  // the task of another rollout
    const char kind = rollout.answer->front();
    if (kind == '-') return std::nullopt;
    return kind == 't' ? 0.0 : static_cast<double>(kind - '0');
  }
};

const RandomStream kRandom = RandomStream::from_seed(0);

const auto kPlay = [](std::span<const RolloutStart> starts, const RandomStream&) {
  std::vector<Rollout> rollouts;
  for (const RolloutStart& start : starts)
    rollouts.push_back(made_of(start, start.task->id.at(start.member)));
  return rollouts;
};

std::vector<Task> named(std::vector<std::string> ids) {
  std::vector<Task> tasks;
  for (std::string& id : ids) tasks.push_back({.id = std::move(id)});
  return tasks;
}

std::vector<double> advantages(const StepRollouts& step) {
  std::vector<double> found;
  for (std::size_t i = 0; i < step.all().size(); ++i)
    found.push_back(step.advantage(i).before_fork);
  return found;
}

}  // namespace

TEST_CASE("a rank plays its share of the groups under their numbers in the batch", "[train]") {
  const std::vector<Task> tasks = named({"01", "12", "23", "34", "45"});
  const auto played = [&](std::size_t rank, std::size_t ranks) {
    StepRollouts step(2, {});
    step.play_groups(tasks, kRandom, kPlay, ByAnswer{}, OneOfSeveral{rank, ranks});
    std::vector<std::pair<std::size_t, double>> found;  // group, reward
    for (const Rollout& rollout : step.all()) {
      CHECK(rollout.reward == static_cast<double>(rollout.group + rollout.member));
      found.emplace_back(rollout.group, rollout.reward);
    }
    return found;
  };
  using Found = std::vector<std::pair<std::size_t, double>>;
  CHECK(played(0, 2) == Found{{0, 0}, {0, 1}, {1, 1}, {1, 2}});
  CHECK(played(1, 2) == Found{{2, 2}, {2, 3}, {3, 3}, {3, 4}, {4, 4}, {4, 5}});
  CHECK(played(0, 6).empty());  // more ranks than groups
}

TEST_CASE("rewards are compared within a group, truncated rollouts count and aborted ones do not",
          "[train]") {
  // Means: (1 + 4) / 2 = 2.5 without the aborted one and the one whose reward abstained;
  // (0 + 6) / 4 = 1.5; nothing but one rollout is left of the third group, none of the fourth.
  const std::vector<Task> tasks = named({"1a4-", "t0t6", "a5aa", "aaaa"});
  StepRollouts step(4, {});
  step.play_groups(tasks, kRandom, kPlay, ByAnswer{}, LocalCollective{});
  step.estimate_advantages(GroupCentered{});
  CHECK(advantages(step) ==
        std::vector<double>{-1.5, 0, 1.5, 0, -1.5, -1.5, -1.5, 4.5, 0, 0, 0, 0, 0, 0, 0, 0});
  CHECK(step.all()[3].status == RolloutStatus::aborted);
  CHECK(step.all()[4].status == RolloutStatus::truncated);
}

TEST_CASE("a step counts live groups, advantages and all that was sampled", "[train]") {
  // A rollout of group g samples g + 1 tokens; only groups 1 and 2 have rewards that differ.
  const std::vector<Task> tasks = named({"555", "1a4", "t06"});
  StepRollouts step(3, {});
  step.play_groups(tasks, kRandom, kPlay, ByAnswer{}, LocalCollective{});
  step.estimate_advantages(GroupCentered{});
  StepMetrics metrics;
  LocalCollective alone;
  step.describe(alone, metrics);
  CHECK(metrics.rollouts == 9);
  CHECK(metrics.aborted == 1);
  CHECK(metrics.truncated == 1);
  CHECK(metrics.live_groups == 2);
  CHECK(metrics.with_advantage == 5);          // -1.5, 1.5; -2, -2, 4
  CHECK(metrics.reward_mean == 26.0 / 8);      // 15 + 5 + 6, without the aborted rollout
  CHECK(metrics.sampled_tokens == 3 + 6 + 9);  // with it
  CHECK(metrics.forks == 0);

  // Replaced rollouts were sampled, too.
  const std::vector<Task> spare = named({"123"});
  CHECK(step.replace_equal_groups(spare, kRandom, kPlay, ByAnswer{}, alone) == 1);
  step.estimate_advantages(GroupCentered{});
  step.describe(alone, metrics);
  CHECK(metrics.rollouts == 9);
  CHECK(metrics.live_groups == 3);
  CHECK(metrics.with_advantage == 7);
  CHECK(metrics.reward_mean == 17.0 / 8);
  CHECK(metrics.sampled_tokens == 18 + 3);
}

TEST_CASE("spare tasks go to the equal groups of all ranks in their order", "[train]") {
  // This rank has groups 2 and 3 of four; the other rank says that its group 1 is equal, and after
  // the first round that no group is. The first spare task is therefore the other rank's.
  const std::vector<Task> tasks = named({"xx", "xx", "12", "66"});
  const std::vector<Task> spare = named({"xx", "67", "78"});
  StepRollouts step(2, {});
  OneOfSeveral collective{1, 2, {{0, 1, 0, 0}, {0, 0, 0, 0}}};
  step.play_groups(tasks, kRandom, kPlay, ByAnswer{}, collective);
  CHECK(step.replace_equal_groups(spare, kRandom, kPlay, ByAnswer{}, collective) == 2);
  CHECK(collective.sums == 2);
  REQUIRE(step.all().size() == 4);
  CHECK(step.all()[0].task_id == "12");
  CHECK(step.all()[2].task_id == "67");
  CHECK(step.all()[2].group == 3);
  CHECK(step.all()[3].reward == 7.0);
}

TEST_CASE("forks are numbered behind their group's members and scored by their own task",
          "[train]") {
  const auto play = [](std::span<const RolloutStart> starts, const RandomStream& random) {
    std::vector<Rollout> rollouts = kPlay(starts.first(0), random);
    for (const RolloutStart& start : starts) {
      const bool fork = start.source != nullptr;
      rollouts.push_back(made_of(start, fork ? '9' : start.task->id.at(start.member)));
      if (!fork) rollouts.back().summary_requests.push_back({.segment = 0, .position = 1});
      if (fork) {
        CHECK(start.source->group == start.group);
        CHECK(start.summary == 0);
      }
    }
    return rollouts;
  };
  // Rank 1 of 2 has groups 1 and 2 of three.
  const std::vector<Task> tasks = named({"xx", "12", "3a"});
  StepRollouts step(2, {.continuations = 3, .histories_per_group = 2});
  step.play_groups(tasks, kRandom, play, ByAnswer{}, OneOfSeveral{1, 2});
  step.fork(RandomStream::from_seed(5), kRandom, play, ByAnswer{});
  step.estimate_advantages(GroupCentered{});
  CHECK(step.originals().size() == 4);
  std::vector<std::pair<std::size_t, std::size_t>> numbers;  // group, member
  for (const Rollout& fork : step.forks()) {
    CHECK(fork.reward == 9.0);
    numbers.emplace_back(fork.group, fork.member);
  }
  // Two histories of group 1 and, because the other one is aborted, one of group 2.
  CHECK(numbers == std::vector<std::pair<std::size_t, std::size_t>>{
                       {1, 2}, {1, 3}, {1, 4}, {1, 5}, {2, 2}, {2, 3}});
  // Continuations of the rollout of reward 3: 3, 9, 9, mean 7.
  const Span summary{.agent = AgentRole::summarizer, .begin = 1, .size = 1};
  CHECK(step.advantage(2).of(0, summary) == -4.0);
  CHECK(step.advantage(8).of(0, summary) == 2.0);
  // The task's own comparison does not see the forks: 1 and 2, mean 1.5.
  CHECK(step.advantage(0).before_fork == -0.5);
  CHECK(step.advantage(1).before_fork == 0.5);
}

TEST_CASE("minibatches share out whole rollouts, the same on any number of ranks", "[train]") {
  const std::vector<Task> tasks = named({"012", "123", "234", "345"});
  const auto minibatches = [&](std::size_t rank, std::size_t ranks) {
    StepRollouts step(3, {});
    step.play_groups(tasks, kRandom, kPlay, ByAnswer{}, OneOfSeveral{rank, ranks});
    std::vector<std::vector<std::size_t>> members(3, {99});  // what was there before goes
    step.assign_minibatches(members, RandomStream::from_seed(11));
    std::vector<std::set<std::size_t>> found(members.size());  // of group * 3 + member
    for (std::size_t b = 0; b < members.size(); ++b)
      for (const std::size_t i : members[b]) {
        const Rollout& rollout = step.all()[i];
        CHECK(found[b].insert(rollout.group * 3 + rollout.member).second);
      }
    return found;
  };
  const auto whole = minibatches(0, 1);
  std::set<std::size_t> all;
  for (const auto& minibatch : whole) {
    CHECK(minibatch.size() == 4);  // 12 rollouts in 3
    all.insert(minibatch.begin(), minibatch.end());
  }
  CHECK(all.size() == 12);
  // They are consecutive parts of all rollouts in random order.
  std::vector<std::size_t> order(12);
  std::iota(order.begin(), order.end(), std::size_t{0});
  shuffle(std::span<std::size_t>(order), RandomStream::from_seed(11));
  CHECK(whole[0] == std::set<std::size_t>(order.begin(), order.begin() + 4));
  CHECK(whole[2] == std::set<std::size_t>(order.begin() + 8, order.end()));
  for (const std::size_t ranks : {2U, 3U, 5U}) {
    std::vector<std::set<std::size_t>> together(3);
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      const auto part = minibatches(rank, ranks);
      for (std::size_t b = 0; b < 3; ++b) together[b].insert(part[b].begin(), part[b].end());
    }
    CHECK(together == whole);
  }
}

TEST_CASE("forks are trained in the minibatch of their source", "[train]") {
  const auto play = [](std::span<const RolloutStart> starts, const RandomStream&) {
    std::vector<Rollout> rollouts;
    for (const RolloutStart& start : starts) {
      rollouts.push_back(made_of(start, '1'));
      if (start.source == nullptr)
        rollouts.back().summary_requests.push_back({.segment = 0, .position = 1});
      else  // whose history it continues
        rollouts.back().fork = ForkOrigin{start.source->member, start.summary};
    }
    return rollouts;
  };
  const std::vector<Task> tasks = named({"11", "11"});
  StepRollouts step(2, {.continuations = 2, .histories_per_group = 2});
  step.play_groups(tasks, kRandom, play, ByAnswer{}, LocalCollective{});
  step.fork(RandomStream::from_seed(2), kRandom, play, ByAnswer{});
  std::vector<std::vector<std::size_t>> members(4);
  step.assign_minibatches(members, RandomStream::from_seed(4));
  for (const std::vector<std::size_t>& minibatch : members) {
    REQUIRE(minibatch.size() == 2);
    const Rollout& source = step.all()[minibatch[0]];
    const Rollout& fork = step.all()[minibatch[1]];
    REQUIRE(fork.fork);
    CHECK(fork.group == source.group);
    CHECK(fork.fork->member == source.member);
  }
}

TEST_CASE("a rollout's advantage changes where its history was forked", "[train]") {
  const SummaryRequest fork{.segment = 1, .position = 10};
  const RolloutAdvantage forked{.before_fork = 2, .after_fork = -3, .fork = &fork};
  CHECK(forked.of(0, Span{.begin = 50, .size = 1}) == 2);
  CHECK(forked.of(1, Span{.begin = 9, .size = 1}) == 2);
  CHECK(forked.of(1, Span{.begin = 10, .size = 1}) == -3);
  CHECK(forked.of(2, Span{.begin = 0, .size = 1}) == -3);
  CHECK(RolloutAdvantage{2, -3, nullptr}.of(2, Span{.begin = 0, .size = 1}) == 2);
  CHECK(RolloutAdvantage{}.is_zero());
  CHECK_FALSE(RolloutAdvantage{0, 1, &fork}.is_zero());
  CHECK_FALSE(RolloutAdvantage{1, 0, &fork}.is_zero());
}
