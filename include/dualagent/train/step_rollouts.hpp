#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/core/random.hpp"
#include "dualagent/kernels/combine.inl"
#include "dualagent/reward/reward.hpp"
#include "dualagent/store/trajectory_store.hpp"
#include "dualagent/train/step_metrics.hpp"
#include "dualagent/train/summary_forks.hpp"

namespace dualagent {

/// A rollout's advantage; where its history was forked, tokens from that summary on have another.
struct RolloutAdvantage {
  double before_fork = 0;
  double after_fork = 0;
  const SummaryRequest* fork = nullptr;

  double of(std::size_t segment, const Span& span) const {
    return fork != nullptr && is_after_fork(*fork, segment, span) ? after_fork : before_fork;
  }
  bool is_zero() const { return before_fork == 0.0 && after_fork == 0.0; }
};

/// The rollouts of one step on one rank: a contiguous share of the step's groups, then the forks of
/// their histories; all scored.
///
/// Where rollouts are played, `run(starts, random)` returns those of the starts, which draw their
/// numbers from `random`. Tasks must outlive the step.
class StepRollouts {
 public:
  StepRollouts(std::size_t group_size, SummaryForks forks)
      : group_size_(group_size), fork_options_(forks) {}

  /// Plays this rank's share of the tasks' groups.
  template <class Run, class Reward, class Collective>
  void play_groups(std::span<const Task> tasks, const RandomStream& random, const Run& run,
                   const Reward& reward, const Collective& collective) {
    share_groups(tasks.size(), collective);
    tasks_.clear();
    forks_.clear();
    std::vector<RolloutStart> starts;
    for (std::size_t g = first_group_; g < first_group_ + group_count_; ++g) {
      tasks_.push_back(&tasks[g]);
      for (std::size_t m = 0; m < group_size_; ++m) starts.push_back({&tasks[g], g, m});
    }
    sampled_tokens_ = 0;
    rollouts_ = count(run(starts, random));
    originals_ = rollouts_.size();
    score(reward, rollouts_);
  }

  /// Takes this rank's share of groups that were played and scored elsewhere, in the order of step,
  /// number and writer, whatever the order in which they are given.
  /// Errors: Error for a group without `group_size` rollouts that began with its task, or with
  /// other forks than the options make.
  template <class Collective>
  void take_groups(std::span<const ClaimedGroup> groups, const Collective& collective) {
    std::vector<const ClaimedGroup*> order;
    for (const ClaimedGroup& group : groups) order.push_back(&group);
    std::sort(order.begin(), order.end(), [](const ClaimedGroup* a, const ClaimedGroup* b) {
      return place_in_step(*a) < place_in_step(*b);
    });
    share_groups(order.size(), collective);
    tasks_.clear();
    forks_.clear();
    rollouts_.clear();
    sampled_tokens_ = 0;
    std::vector<Rollout> forks;
    for (std::size_t g = 0; g < group_count_; ++g) take_group(*order[first_group_ + g], g, forks);
    originals_ = rollouts_.size();
    for (ForkGroup& fork : forks_) fork.first_fork += originals_;
    for (Rollout& fork : forks) rollouts_.push_back(std::move(fork));
  }

  /// Plays spare tasks in place of groups whose rewards are all equal, until there are none or the
  /// spare ones are used up; each round draws from a child of `random`. Returns how many were used,
  /// over all ranks.
  template <class Run, class Reward, class Collective>
  std::size_t replace_equal_groups(std::span<const Task> spare, const RandomStream& random,
                                   const Run& run, const Reward& reward, Collective& collective) {
    std::size_t used = 0;
    while (used < spare.size()) {
      std::vector<double> equal(groups_, 0.0);
      for (std::size_t g = 0; g < tasks_.size(); ++g)
        equal[first_group_ + g] = is_live(g) ? 0.0 : 1.0;
      collective.all_reduce_sum(std::span<double>(equal));
      const std::size_t before = used;
      const std::vector<RolloutStart> starts = replacements(spare, equal, used);
      if (used == before) break;
      std::vector<Rollout> played = count(run(starts, random.child(used)));
      score(reward, played);
      for (Rollout& rollout : played) {
        const std::size_t i = (rollout.group - first_group_) * group_size_ + rollout.member;
        rollouts_[i] = std::move(rollout);
      }
    }
    return used;
  }

  /// Forks some histories; see SummaryForks. `choice` decides which, the same on any number of
  /// ranks.
  template <class Run, class Reward>
  void fork(const RandomStream& choice, const RandomStream& random, const Run& run,
            const Reward& reward) {
    if (fork_options_.continuations == 1) return;
    std::vector<RolloutStart> starts;
    for (std::size_t g = 0; g < tasks_.size(); ++g) {
      std::size_t member = group_size_;
      for (ForkGroup fork :
           choose_forks(group(g), g * group_size_, fork_options_, choice.child(first_group_ + g))) {
        fork.first_fork = originals_ + starts.size();
        forks_.push_back(fork);
        for (std::size_t i = 1; i < fork_options_.continuations; ++i)
          starts.push_back(
              {tasks_[g], first_group_ + g, member++, &rollouts_[fork.source], fork.summary});
      }
    }
    std::vector<Rollout> played = count(run(starts, random));
    score(reward, played);
    for (Rollout& rollout : played) rollouts_.push_back(std::move(rollout));
  }

  /// Compares each group, and each forked history's continuations.
  template <class Estimator>
  void estimate_advantages(const Estimator& estimator) {
    std::vector<std::size_t> members(originals_);
    std::iota(members.begin(), members.end(), std::size_t{0});
    advantages_.clear();
    for (const double a : compare(estimator, members, group_size_))
      advantages_.push_back({a, a, nullptr});
    advantages_.resize(rollouts_.size());
    for (const ForkGroup& fork : forks_) {
      members.resize(fork_options_.continuations);
      members[0] = fork.source;
      std::iota(members.begin() + 1, members.end(), fork.first_fork);
      const std::vector<double> compared = compare(estimator, members, members.size());
      for (std::size_t i = 1; i < members.size(); ++i)
        advantages_[members[i]] = {compared[i], compared[i], nullptr};
      advantages_[fork.source].after_fork = compared[0];
      advantages_[fork.source].fork = &rollouts_[fork.source].summary_requests[fork.summary];
    }
  }

  template <class Collective>
  void describe(Collective& collective, StepMetrics& metrics) const {
    RolloutSums sums;
    for (const Rollout& rollout : originals()) sums.add(rollout);
    for (const Rollout& rollout : forks()) sums.add_fork(rollout);
    for (std::size_t g = 0; g < group_count_; ++g) sums.live_groups += is_live(g) ? 1.0 : 0.0;
    sums.sampled_tokens = sampled_tokens_;
    for (std::size_t i = 0; i < rollouts_.size(); ++i)
      if (rollouts_[i].status != RolloutStatus::aborted && !advantages_[i].is_zero())
        sums.with_advantage += 1.0;
    sums.describe(collective, metrics);
    describe_tools(all(), collective, metrics);
  }

  /// Assigns whole rollouts to minibatches in random order, the same way on any number of ranks;
  /// forks go with their source. `members` [minibatches] get indices into `all()`.
  void assign_minibatches(std::vector<std::vector<std::size_t>>& members,
                          const RandomStream& random) const {
    std::vector<std::size_t> order(groups_ * group_size_);
    std::iota(order.begin(), order.end(), std::size_t{0});
    shuffle(std::span<std::size_t>(order), random);
    std::vector<std::size_t> minibatch_of(originals_, 0);
    const std::size_t begin = first_group_ * group_size_;
    for (auto& minibatch : members) minibatch.clear();
    for (std::size_t position = 0; position < order.size(); ++position) {
      const std::size_t local = order[position] - begin;  // wraps below `begin`
      if (local >= originals_) continue;
      minibatch_of[local] = position * members.size() / order.size();
      members[minibatch_of[local]].push_back(local);
    }
    for (const ForkGroup& fork : forks_)
      for (std::size_t i = 0; i + 1 < fork_options_.continuations; ++i)
        members[minibatch_of[fork.source]].push_back(fork.first_fork + i);
  }

  /// All rollouts: those that began with their task, in order of group and member, then forks.
  std::span<const Rollout> all() const { return rollouts_; }
  std::span<const Rollout> originals() const { return all().first(originals_); }
  std::span<const Rollout> forks() const { return all().subspan(originals_); }
  const RolloutAdvantage& advantage(std::size_t i) const { return advantages_[i]; }

 private:
  template <class Collective>
  void share_groups(std::size_t groups, const Collective& collective) {
    groups_ = groups;
    first_group_ = groups * collective.rank() / collective.size();
    group_count_ = groups * (collective.rank() + 1) / collective.size() - first_group_;
  }

  static std::tuple<std::uint64_t, std::size_t, std::string> place_in_step(
      const ClaimedGroup& group) {
    const TrainingRollout& first = group.rollouts.at(0);
    return {first.source().step, first.rollout().group, first.source().writer};
  }

  /// Appends group number `local`; its forks go to `forks`, counted from there.
  void take_group(const ClaimedGroup& group, std::size_t local, std::vector<Rollout>& forks) {
    const auto refuse = [&](const std::string& problem) {
      const auto [step, number, writer] = place_in_step(group);
      throw Error(problem,
                  "step " + std::to_string(step) + ", group " + std::to_string(number) +
                      ", writer " + writer,
                  "Give samplers the options of the trainer");
    };
    std::size_t began = 0;
    std::vector<std::size_t> continuations;  // of each fork group of this group
    for (const TrainingRollout& training : group.rollouts) {
      const Rollout& rollout = training.rollout();
      sampled_tokens_ += static_cast<double>(count_sampled(rollout));
      if (!rollout.fork) {
        ++began;
        rollouts_.push_back(rollout);
        continue;
      }
      const std::size_t source = local * group_size_ + rollout.fork->member;
      if (began != group_size_ || rollout.fork->member >= group_size_ ||
          rollout.fork->summary >= rollouts_[source].summary_requests.size())
        refuse("a fork goes on from a history that the group does not have");
      if (continuations.empty() || forks_.back().source != source) {
        forks_.push_back({source, rollout.fork->summary, forks.size()});
        continuations.push_back(1);
      }
      ++continuations.back();
      forks.push_back(rollout);
    }
    if (began != group_size_)
      refuse("a group has " + std::to_string(began) +
             " rollouts that began with its task, the trainer's groups have " +
             std::to_string(group_size_));
    for (const std::size_t count : continuations)
      if (count != fork_options_.continuations)
        refuse("a history was continued " + std::to_string(count) +
               " times, the trainer compares " + std::to_string(fork_options_.continuations));
  }

  std::span<const Rollout> group(std::size_t local) const {
    return all().subspan(local * group_size_, group_size_);
  }

  /// Adds what was sampled of these rollouts, whatever becomes of them.
  std::vector<Rollout> count(std::vector<Rollout> played) {
    for (const Rollout& rollout : played)
      sampled_tokens_ += static_cast<double>(count_sampled(rollout));
    return played;
  }

  template <class Reward>
  void score(const Reward& reward, std::span<Rollout> rollouts) const {
    score_rollouts(reward, rollouts, [&](const Rollout& rollout) -> const Task& {
      return *tasks_[rollout.group - first_group_];
    });
  }

  /// Whether the rewards of a group differ, by the measure of the advantage estimators; aborted
  /// rollouts have none.
  bool is_live(std::size_t local) const {
    const kernels::Moments<double> combine;
    auto moments = combine.identity();
    for (const Rollout& rollout : group(local))
      if (rollout.status != RolloutStatus::aborted)
        moments = combine(moments, combine.of(rollout.reward));
    return !moments.all_equal();
  }

  /// Gives the next spare tasks to the groups of all ranks that are to be replaced.
  std::vector<RolloutStart> replacements(std::span<const Task> spare, std::span<const double> equal,
                                         std::size_t& used) {
    std::vector<RolloutStart> starts;
    for (std::size_t g = 0; g < groups_ && used < spare.size(); ++g) {
      if (equal[g] == 0.0) continue;
      const Task& task = spare[used++];
      const std::size_t local = g - first_group_;  // wraps below first_group_
      if (local >= tasks_.size()) continue;
      tasks_[local] = &task;
      for (std::size_t m = 0; m < group_size_; ++m) starts.push_back({&task, g, m});
    }
    return starts;
  }

  /// Advantages of these rollouts, groups of `size` one after another: one baseline entry per
  /// logical rollout, aborted ones left out.
  template <class Estimator>
  std::vector<double> compare(const Estimator& estimator, std::span<const std::size_t> members,
                              std::size_t size) const {
    const auto counts = [&](std::size_t i) {
      return rollouts_[members[i]].status != RolloutStatus::aborted;
    };
    std::vector<double> rewards;
    std::vector<std::size_t> group_begin{0};
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (counts(i)) rewards.push_back(rollouts_[members[i]].reward);
      if ((i + 1) % size == 0) group_begin.push_back(rewards.size());
    }
    std::vector<double> estimates(rewards.size());
    estimator.estimate(rewards, group_begin, estimates);
    std::vector<double> advantages(members.size(), 0.0);
    std::size_t next = 0;
    for (std::size_t i = 0; i < members.size(); ++i)
      if (counts(i)) advantages[i] = estimates[next++];
    return advantages;
  }

  std::size_t group_size_;
  SummaryForks fork_options_;
  std::size_t groups_ = 0;          // of all ranks
  std::size_t first_group_ = 0;     // of this rank
  std::size_t group_count_ = 0;     // of this rank
  std::vector<const Task*> tasks_;  // [groups of this rank]; none where others played
  std::vector<Rollout> rollouts_;
  std::size_t originals_ = 0;
  double sampled_tokens_ = 0;  // of all that was played
  std::vector<ForkGroup> forks_;
  std::vector<RolloutAdvantage> advantages_;  // [rollouts]
};

}  // namespace dualagent
