#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/data/task_stream.hpp"
#include "dualagent/reward/reward.hpp"
#include "dualagent/rollout/scheduler.hpp"
#include "dualagent/store/trajectory_store.hpp"
#include "dualagent/train/async_reinforcement.hpp"
#include "dualagent/train/learner_memory.hpp"
#include "dualagent/train/pair_learners.hpp"
#include "dualagent/train/step_streams.hpp"
#include "dualagent/train/summary_forks.hpp"
#include "dualagent/train/weight_folder.hpp"
#include "dualagent/train/worker_options.hpp"

namespace dualagent {

/// Plays the rollouts of an asynchronous run: the samplers' side, of which `AsyncReinforcement` is
/// the learner's. Any number of workers may sample for a run, each in a thread or process with
/// models of its own.
///
/// It follows the weights that the learner publishes: whenever a rollout has ended it looks for
/// newer ones and takes them over. Rollouts that are live go on with them, and each token carries
/// the version that it was drawn from. It plays its part of the steps that the learner's
/// `max_staleness` allows, in their order, and commits each group as a whole, scored, its forks
/// included. While the store is full nothing new is begun.
///
/// Of a `SharedExchange` the pair is trained by several learners, each of them some of its models:
/// a group is committed to the runs of all of them at once, and a step may begin when each one's
/// `max_staleness` allows it. A model that samples elsewhere and is given its weights by its
/// learner is `Frozen{engine}` here; where the engine has `follow(version)`, as an HttpEngine, it
/// is told what the learner has published, so that nothing is sampled from weights before that.
///
/// Determinism: which task a group plays and what random numbers it draws follow from seed, step
/// and group as in `Reinforcement`, whoever plays it and when. Where no step may be sampled ahead
/// (`max_staleness` 0) the rollouts have the bits of the synchronous run's.
/// A worker that died starts again with the newest weights: groups that it had not committed are
/// played anew; those that it had are too, and the store keeps the first ones.
/// Errors: as RolloutScheduler, TaskStream and the reward; Error for weights of other models or of
/// a trainer with other options, and for a part that no group of a step is of. After a StoreFault
/// it goes on where it was, after anything else make a new worker. Holds references to models,
/// tasks and store. Example:
///   RolloutWorker worker{SharedWeights{model}, protocol, ExactMatch{}, tasks,
///                        Exchange{store, WeightFolder{"out/weights"}},
///                        {.writer = "sampler-1", .trainer = {.group_size = 8, .seed = 7}}};
///   worker.run([](bool idle) { return wait_if(idle); });
template <class Pairing, class Protocol, class Reward, class Store>
class RolloutWorker {
  static_assert(check_pairing<Pairing>());
  static_assert(check_protocol<Protocol>());
  static_assert(check_reward<Reward>());
  static_assert(check_trajectory_store<Store>());

 public:
  RolloutWorker(Pairing pairing, Protocol protocol, Reward reward, TaskStream& tasks,
                Exchange<Store> exchange, WorkerOptions options)
      : RolloutWorker(pairing, std::move(protocol), std::move(reward), tasks,
                      SharedExchange<Store>{exchange.store, {std::move(exchange.weights)}},
                      std::move(options)) {}
  RolloutWorker(Pairing pairing, Protocol protocol, Reward reward, TaskStream& tasks,
                SharedExchange<Store> exchange, WorkerOptions options)
      : pairing_(pairing),
        reward_(std::move(reward)),
        tasks_(&tasks),
        store_(&exchange.store),
        options_(std::move(options)),
        group_size_(options_.trainer.group_size.value_or(8)),
        scheduler_(pairing, std::move(protocol), options_.trainer.scheduler) {
    options_.validate();
    options_.trainer.validate(group_size_);
    validate_all(reward_);
    if (exchange.weights.empty())
      throw Error("there is no folder of weights", "SharedExchange", "Name that of each learner");
    for (WeightFolder& weights : exchange.weights) learners_.push_back({std::move(weights)});
    begin_step(0);
  }

  /// Takes over new weights, begins what may begin, plays until a rollout has ended and commits.
  /// False where there is nothing to play until the learner publishes or the store has room: wait,
  /// then call it again.
  bool advance() {
    count_idle();
    follow_weights();
    bool did = commit();
    begin_groups();
    if (scheduler_.unfinished() > 0) {
      take(*scheduler_.next_finished());
      commit();
      did = true;
    }
    if (!did) idle_since_ = Clock::now();
    return did;
  }

  /// Whether the learner has done the last step of its run (AsyncOptions::steps).
  bool ended() const {
    return std::ranges::all_of(learners_, [](const PublishedRun& learner) {
      return learner.steps > 0 && learner.step && *learner.step >= learner.steps;
    });
  }

  /// Advances until the run has ended or `go_on(idle)` returns false. It is asked after each
  /// `advance`; `idle` says that there was nothing to play: then it should wait.
  template <class GoOn>
  void run(GoOn&& go_on) {
    while (!ended())
      if (!go_on(!advance())) return;
  }

  const WorkerMetrics& metrics() const { return metrics_; }

 private:
  using Clock = std::chrono::steady_clock;

  /// What a learner has published.
  struct PublishedRun {
    WeightFolder weights;
    std::optional<std::uint64_t> step{};  // of the newest weights
    std::string run{};
    std::uint64_t steps = 0, steps_ahead = 0;
  };
  /// A group that is being played. Rollouts refer to its task and to one another.
  struct LiveGroup {
    std::uint64_t step = 0;
    std::size_t number = 0;
    Task task{};
    std::vector<Rollout> rollouts{};
    std::size_t missing = 0;
    bool forked = false;
  };
  struct Place {
    typename std::list<LiveGroup>::iterator group;
    std::size_t member;
  };

  void count_idle() {
    if (!idle_since_) return;
    const double seconds = std::chrono::duration<double>(Clock::now() - *idle_since_).count();
    (ready_.empty() ? metrics_.weight_seconds : metrics_.room_seconds) += seconds;
    idle_since_.reset();
  }

  void follow_weights() {
    for (PublishedRun& learner : learners_) follow(learner);
    if (!all_have_published()) return;
    // What one of them has trained on was committed to all.
    for (const PublishedRun& learner : learners_)
      if (next_step_ < *learner.step) begin_step(*learner.step);
  }

  void follow(PublishedRun& learner) {
    const std::optional<std::uint64_t> newest = learner.weights.newest_step();
    if (!newest || (learner.step && *newest <= *learner.step)) return;
    const std::optional<StoredCheckpoint> weights = learner.weights.newest();
    if (!weights) return;
    check_options(*weights);
    load(*weights, learner.step.has_value());
    const std::size_t tasks = weights->number(detail::published::kTasks);
    if (groups_of_step_ != 0 && tasks != groups_of_step_)
      throw Error("a step has " + std::to_string(tasks) + " tasks here and " +
                      std::to_string(groups_of_step_) + " of another learner",
                  weights->where(), "Give all learners of a pair the same AsyncOptions::tasks");
    require_part_of(tasks, weights->where());
    groups_of_step_ = tasks;
    learner.run = weights->fingerprint().at(detail::published::kRun);
    learner.steps = weights->number(detail::published::kSteps);
    learner.steps_ahead = weights->number(detail::published::kStepsAhead);
    learner.step = weights->step();
  }

  /// Errors: Error where there would never be a group for this worker.
  void require_part_of(std::size_t groups, const std::string& where) const {
    const WorkerPart& part = options_.part;
    if (part.index < groups) return;
    throw Error("there is nothing to play for part " + std::to_string(part.index) + " of " +
                    std::to_string(part.of) + ": a step has " + std::to_string(groups) + " groups",
                where,
                "Start at most as many workers as AsyncOptions::tasks, and divide "
                "WorkerOptions::part among them");
  }

  bool all_have_published() const {
    return std::ranges::all_of(learners_, [](const auto& one) { return one.step.has_value(); });
  }
  bool may_begin(std::uint64_t step) const {
    return std::ranges::all_of(learners_, [&](const PublishedRun& one) {
      return step <= *one.step + one.steps_ahead && (one.steps == 0 || step < one.steps);
    });
  }

  /// Errors: Error that names what differs from the learner's options.
  void check_options(const StoredCheckpoint& weights) const {
    if (!weights.fingerprint().contains(detail::published::kRun))
      throw Error("weights that no AsyncReinforcement published", weights.where(),
                  "Give the folder that the learner's Exchange has");
    const auto of_sampling = [](RunFingerprint all) {
      std::erase_if(all, [](const auto& option) {
        return option.first.starts_with("update.") || option.first == "minibatches" ||
               option.first == "epochs";
      });
      return all;
    };
    const std::string others = fingerprint_differences(
        of_sampling(read_options_text(weights, detail::published::kOptions)),
        of_sampling(detail::describe_options(options_.trainer, group_size_)));
    if (!others.empty())
      throw Error("the worker samples with other options than the learner's trainer: " + others,
                  weights.where(), "Give WorkerOptions::trainer the trainer's options");
  }

  void load(const StoredCheckpoint& weights, bool is_refit) {
    const auto models = pairing_.models();
    const std::size_t loaded = [&]<std::size_t... I>(std::index_sequence<I...>) {
      return (load_model<I>(std::get<I>(models), weights) + ...);
    }
    (std::make_index_sequence<detail::kModels<Pairing>>{});
    if (is_refit && loaded > 0) ++metrics_.refits;
  }
  /// 0 where it has these weights: it is not this learner's, or the step made no update.
  template <std::size_t I, class Player>
  std::size_t load_model(Player& player, const StoredCheckpoint& weights) {
    using Role = detail::RoleAt<Pairing, I>;
    const std::string name = name_of_model({}, I);
    const bool is_there = weights.texts().contains(name + ".weight_version");
    if constexpr (Role::kTrained) {
      if (!is_there && learners_.size() > 1) return 0;
      auto& learner = Role::learner(player);
      const WeightVersion version = weights.number(name + ".weight_version");
      if (loaded_[I] == version) return 0;
      load_parameters(learner, weights, name + ".weights");
      learner.weights_changed(version);
      if constexpr (!std::is_same_v<typename Role::Held, typename Role::LearnerType&>)
        hand_over(learner, Role::sampler(player));
      loaded_[I] = version;
      return 1;
    } else if constexpr (requires(WeightVersion version) {
                           Role::sampler(player).follow(version);
                         }) {
      if (is_there) Role::sampler(player).follow(weights.number(name + ".weight_version"));
    }
    return 0;
  }

  void begin_step(std::uint64_t step) {
    next_step_ = step;
    next_group_ = options_.part.index;
    tasks_of_step_.clear();
  }

  /// As many groups as the scheduler has room for, so that forks and the next weights come early.
  void begin_groups() {
    while (all_have_published() && ready_.empty() &&
           scheduler_.unfinished() < options_.trainer.scheduler.max_live_episodes &&
           may_begin(next_step_)) {
      if (next_group_ >= groups_of_step_) {
        begin_step(next_step_ + 1);
        continue;
      }
      if (tasks_of_step_.empty()) {
        tasks_->seek(next_step_ * groups_of_step_);
        tasks_of_step_ = tasks_->next(groups_of_step_);
      }
      begin_group(next_step_, next_group_);
      next_group_ += options_.part.of;
    }
  }

  void begin_group(std::uint64_t step, std::size_t number) {
    live_.push_back({.step = step, .number = number, .task = tasks_of_step_[number]});
    const auto group = std::prev(live_.end());
    group->rollouts.resize(group_size_);
    for (std::size_t m = 0; m < group_size_; ++m) start(group, {&group->task, number, m});
  }

  void start(typename std::list<LiveGroup>::iterator group, const RolloutStart& rollout) {
    const StepStreams streams{options_.trainer.seed, group->step};
    const std::size_t ticket =
        scheduler_.start(rollout, options_.trainer.sampling, streams.rollouts());
    places_.insert({ticket, {group, rollout.member}});
    ++group->missing;
  }

  void take(FinishedRollout finished) {
    const auto found = places_.find(finished.ticket);
    const Place place = found->second;
    places_.erase(found);
    metrics_.sampled_tokens += static_cast<double>(count_sampled(finished.rollout));
    place.group->rollouts[place.member] = std::move(finished.rollout);
    if (--place.group->missing > 0) return;
    const std::size_t first = place.group->forked ? group_size_ : 0;
    score_rollouts(reward_, std::span(place.group->rollouts).subspan(first),
                   [&](const Rollout&) -> const Task& { return place.group->task; });
    if (!place.group->forked) fork(place.group);
    if (place.group->missing == 0) finish(place.group);
  }

  void fork(typename std::list<LiveGroup>::iterator group) {
    group->forked = true;
    const SummaryForks& forks = options_.trainer.summary_forks;
    if (forks.continuations == 1) return;
    const RandomStream random = StepStreams{options_.trainer.seed, group->step}.rollouts();
    const std::vector<ForkGroup> chosen =
        choose_forks(group->rollouts, 0, forks,
                     StepStreams::fork_choice(random, groups_of_step_).child(group->number));
    // Before anything refers to them.
    group->rollouts.resize(group_size_ + chosen.size() * (forks.continuations - 1));
    std::size_t member = group_size_;
    for (const ForkGroup& fork : chosen)
      for (std::size_t i = 1; i < forks.continuations; ++i)
        start(group,
              {&group->task, group->number, member++, &group->rollouts[fork.source], fork.summary});
  }

  void finish(typename std::list<LiveGroup>::iterator group) {
    std::vector<TrainingRollout> made;
    const std::size_t size = group->rollouts.size();
    for (std::size_t l = 0; l < learners_.size(); ++l)
      for (Rollout& rollout : group->rollouts)
        made.push_back(TrainingAccess::make(
            {learners_[l].run, options_.writer, group->step}, size,
            l + 1 == learners_.size() ? std::move(rollout) : Rollout(rollout)));
    ready_.emplace(std::pair{group->step, group->number}, std::move(made));
    live_.erase(group);
  }

  /// Groups that are whole, the oldest first, until the store is full. Whether any was committed.
  bool commit() {
    bool did = false;
    while (!ready_.empty()) {
      const std::vector<TrainingRollout>& group = ready_.begin()->second;
      if (store_->commit(std::span<const TrainingRollout>(group)).status != CommitStatus::stored)
        break;
      metrics_.groups += 1;
      metrics_.rollouts += static_cast<double>(group.size() / learners_.size());
      ready_.erase(ready_.begin());
      did = true;
    }
    return did;
  }

  Pairing pairing_;
  Reward reward_;
  TaskStream* tasks_;
  Store* store_;
  WorkerOptions options_;
  std::size_t group_size_;

  /// Of each model that is trained: the version that it samples with.
  std::array<std::optional<WeightVersion>, detail::kModels<Pairing>> loaded_{};
  std::vector<PublishedRun> learners_;
  std::size_t groups_of_step_ = 0;  // that learners have published

  std::uint64_t next_step_ = 0;  // of the group that begins next
  std::size_t next_group_ = 0;
  std::vector<Task> tasks_of_step_;  // of next_step_; empty before its first group
  std::list<LiveGroup> live_;
  std::map<std::size_t, Place> places_;  // by ticket
  /// By step and number; the store had no room for them yet.
  std::map<std::pair<std::uint64_t, std::size_t>, std::vector<TrainingRollout>> ready_;
  WorkerMetrics metrics_;
  std::optional<Clock::time_point> idle_since_;
  RolloutScheduler<Pairing, Protocol> scheduler_;  // last: what is live refers to the others
};

}  // namespace dualagent
