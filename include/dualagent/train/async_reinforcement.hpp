#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "dualagent/core/check.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/number_text.hpp"
#include "dualagent/core/stop_signals.hpp"
#include "dualagent/core/warning.hpp"
#include "dualagent/store/trajectory_store.hpp"
#include "dualagent/train/run_work.hpp"
#include "dualagent/train/weight_folder.hpp"

namespace dualagent {

/// What an asynchronous run trains on. The learner says it; its samplers read it where they find
/// the weights.
struct AsyncOptions {
  std::string run{};       ///< name of the run in the store
  std::string reader{};    ///< name of the learner, among those of all runs; empty: the run's
  std::size_t tasks = 16;  ///< groups of a step
  std::size_t steps = 0;   ///< of the run, after which samplers end; 0: they never do
  /// How many weight versions may lie between the weights that a token was drawn from and those of
  /// the step that trains on it. A step makes up to `minibatches * epochs` versions, so twice that
  /// lets samplers run two steps ahead; 0 is the synchronous run, bit by bit.
  WeightVersion max_staleness = 0;
  /// Longer than a step and the steps to its checkpoint take; see ClaimRequest.
  double lease_seconds = 3600;
  /// Called while a step's groups are not there: waits, and says whether to go on.
  std::function<bool()> pause = [] {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return !StopSignals::requested();
  };

  void validate() const {
    if (run.empty())
      throw Error("an asynchronous run has no name", "AsyncOptions", "Set AsyncOptions::run");
    require_option(tasks, kCount, "tasks", "AsyncOptions");
    require_option(max_staleness, {0, 1e15}, "max_staleness", "AsyncOptions");
    require_function(pause, "pause", "AsyncOptions");
    require_option(lease_seconds, kLeaseSeconds, "lease_seconds", "AsyncOptions");
  }
};

/// What the published weights say beside the weights; names of a checkpoint's texts.
namespace detail::published {
inline constexpr const char* kTasks = "asynchronous.tasks";
inline constexpr const char* kSteps = "asynchronous.steps";
inline constexpr const char* kStepsAhead = "asynchronous.steps_ahead";
inline constexpr const char* kOptions = "trainer.options";
inline constexpr const char* kRun = "run";  // in the fingerprint
}  // namespace detail::published

/// Reinforcement on rollouts that others play, as the work of a run: the learner's side of
/// asynchronous training, of which `RolloutWorker` is the other.
///
/// Step n trains on the groups that were played for step n, all of them, whatever the order in
/// which they were committed; groups with a token that is staler than `max_staleness` are left out
/// and counted. Weights are published as soon as they are updated.
///
/// Exactly once, to the weights: the leases of the groups that went into the weights are saved with
/// them and acknowledged once that checkpoint is in place (`saved`). A learner that died before
/// finds the groups of its next step where they were; one that died between checkpoint and
/// acknowledgement makes up for it in `load`. Nobody else may read the run's groups.
///
/// Determinism: the same groups give the same bits. At `max_staleness` 0 the workers' groups are
/// those that `Reinforcement` would have played. Holds references to trainer and store.
/// Errors: the constructor throws Error for options that cannot be meant and for a trainer on
/// several ranks; `step` where `pause` gives up, and as Trainer::step_on.
/// Example:
///   AsyncReinforcement work{trainer, Exchange{store, WeightFolder{"out/weights"}},
///                           {.run = "run-1", .tasks = 16, .max_staleness = 4}};
///   run.train(work);
template <class Trainer, class Store>
class AsyncReinforcement {
  static_assert(check_trajectory_store<Store>());

 public:
  AsyncReinforcement(Trainer& trainer, Exchange<Store> exchange, AsyncOptions options)
      : trainer_(&trainer), exchange_(std::move(exchange)), options_(std::move(options)) {
    options_.validate();
    if (options_.reader.empty()) options_.reader = options_.run;
    if (trainer.collective().size() > 1)
      throw Error("the trainer has " + std::to_string(trainer.collective().size()) + " ranks",
                  "AsyncReinforcement", "Train on one rank; samplers may be many");
    if (options_.max_staleness > 0 && steps_ahead() == 0)
      throw Error("max_staleness is " + std::to_string(options_.max_staleness) +
                      ", but one step makes " + std::to_string(trainer.versions_per_step()) +
                      " weight versions: nothing could be sampled ahead",
                  "AsyncOptions",
                  "Set it to minibatches * epochs of the trainer for each step ahead, or to 0");
  }

  /// How many steps samplers may begin before the weights of the step before them are there.
  std::size_t steps_ahead() const {
    return static_cast<std::size_t>(options_.max_staleness / trainer_->versions_per_step());
  }

  /// Waits for the step's groups and trains on them. The note is the mean reward.
  RunRecord step(RunStep step) {
    begin(step.number);
    publish();
    Claimed claimed;
    try {
      claim_all(step.number, claimed);
      std::vector<ClaimedGroup> groups;
      std::vector<Lease> leases;
      double stale = 0;
      for (auto& [number, group] : claimed.groups) {
        leases.push_back(group.lease);
        stale += group.stale ? 1 : 0;
        if (!group.stale) groups.push_back(std::move(group));
      }
      auto metrics = trainer_->step_on(groups, step.learning_rate_scale);
      leases_.insert(leases_.end(), leases.begin(), leases.end());
      claimed.groups.clear();  // they are in the weights
      publish();
      metrics.stale_groups = stale;
      metrics.wait_seconds = claimed.wait_seconds;
      RunRecord record{.note = "reward " + fixed_text(metrics.reward_mean, 3)};
      record.add(metrics);
      return record;
    } catch (...) {
      give_back(claimed);
      throw;
    }
  }

  /// The trainer's state, and the leases of what went into it and is not acknowledged.
  void save(Checkpoint& checkpoint) const {
    trainer_->save(checkpoint);
    std::string numbers;
    for (const Lease& lease : leases_) numbers += std::to_string(lease.number) + " ";
    checkpoint.add(kLeases, numbers);
  }

  /// The checkpoint that `save` filled is in place: its groups need not be kept any longer.
  void saved() {
    acknowledge();
    leases_.clear();
  }

  /// Goes on where `save` was called. Errors: as Trainer::load; Error for a damaged list of leases.
  void load(const StoredCheckpoint& checkpoint) {
    trainer_->load(checkpoint);
    leases_.clear();
    begun_ = false;
    published_.reset();
    if (!checkpoint.texts().contains(kLeases)) return;  // of a synchronous run
    std::string_view rest = checkpoint.text(kLeases);
    while (!rest.empty()) {
      const std::size_t end = rest.find(' ');
      const auto number = parse_number<std::uint64_t>(rest.substr(0, end));
      if (!number)
        throw Error("the checkpoint's leases are not numbers", checkpoint.where(),
                    "Resume from an earlier one");
      leases_.push_back({*number});
      rest.remove_prefix(std::min(rest.size(), end) + (end == std::string_view::npos ? 0 : 1));
    }
    saved();
  }

 private:
  static constexpr const char* kLeases = "asynchronous.leases";
  static constexpr double kPatienceSeconds = 60;

  struct Claimed {
    std::map<std::uint64_t, ClaimedGroup> groups{};  // by number
    double wait_seconds = 0;
    std::size_t damaged = 0;
  };
  using Clock = std::chrono::steady_clock;

  /// Once before the first step: what an earlier process of this learner left is taken back.
  void begin(std::size_t step) {
    if (step != trainer_->steps_done())
      throw Error("the run is at step " + std::to_string(step) + ", the trainer at " +
                      std::to_string(trainer_->steps_done()),
                  "AsyncReinforcement", "Give a run a trainer that has done no other steps");
    if (begun_) return;
    if (const std::optional<StoredCheckpoint> newest = exchange_.weights.newest())
      newest->require_fingerprint({{detail::published::kRun, options_.run}});
    exchange_.weights.go_back_to(step);
    exchange_.store.give_back_all(options_.reader);
    begun_ = true;
  }

  /// The newest weights, if they are not published yet.
  void publish() {
    const std::uint64_t step = trainer_->steps_done();
    if (published_ == step) return;
    Checkpoint weights{.step = step, .fingerprint = {{detail::published::kRun, options_.run}}};
    trainer_->save_weights(weights);
    weights.add(detail::published::kTasks, std::to_string(options_.tasks));
    weights.add(detail::published::kSteps, std::to_string(options_.steps));
    weights.add(detail::published::kStepsAhead, std::to_string(steps_ahead()));
    exchange_.weights.publish(weights);
    published_ = step;
  }

  /// All groups of the step, when they are there.
  void claim_all(std::size_t step, Claimed& claimed) {
    const AgentVersions now = trainer_->versions();
    const auto floor = [&](WeightVersion version) {
      return version - std::min(version, options_.max_staleness);
    };
    ClaimRequest request{.run = options_.run,
                         .reader = options_.reader,
                         .step = step,
                         .oldest = {floor(now.answerer), floor(now.summarizer)},
                         .stale = StalePolicy::hand_out,
                         .lease_seconds = options_.lease_seconds};
    bool warned = false;
    std::optional<Clock::time_point> waiting;
    while (claimed.groups.size() < options_.tasks) {
      request.max_groups = options_.tasks - claimed.groups.size();
      ClaimResult found = exchange_.store.claim(request);
      claimed.damaged += found.damaged_groups;
      for (ClaimedGroup& group : found.groups) take(std::move(group), claimed);
      if (!found.groups.empty()) continue;
      const Clock::time_point before = Clock::now();
      if (!waiting) waiting = before;
      if (!options_.pause()) throw_waiting(step, claimed);
      const Clock::time_point after = Clock::now();
      claimed.wait_seconds += std::chrono::duration<double>(after - before).count();
      if (!warned && std::chrono::duration<double>(after - *waiting).count() > kPatienceSeconds) {
        warn(state_of(step, claimed) + "; go on waiting. " + kWaitingRemedy);
        warned = true;
      }
    }
  }

  /// A group that was claimed before, whose lease ran out meanwhile, has a new one.
  void take(ClaimedGroup group, Claimed& claimed) const {
    const TrainingRollout& first = group.rollouts.at(0);
    const std::uint64_t number = first.rollout().group;
    if (number >= options_.tasks)
      throw Error(
          "there is a group " + std::to_string(number) + " in a step of " +
              std::to_string(options_.tasks) + " tasks",
          "step " + std::to_string(first.source().step) + ", writer " + first.source().writer,
          "Use another run's name, or AsyncOptions::tasks as before");
    const auto found = claimed.groups.find(number);
    if (found != claimed.groups.end()) {
      const std::string& other = found->second.rollouts.at(0).source().writer;
      if (other != first.source().writer)
        throw Error("group " + std::to_string(number) + " of step " +
                        std::to_string(first.source().step) + " was played twice",
                    "writers " + other + " and " + first.source().writer,
                    "Give each worker its own part (WorkerOptions::part), and keep its name");
    }
    claimed.groups.insert_or_assign(number, std::move(group));
  }

  static constexpr const char* kWaitingRemedy =
      "See whether the samplers run, whether the store's limits take the groups of all steps that "
      "are sampled ahead, and whether the run went back behind what it had acknowledged (then "
      "forget it in the store)";

  std::string state_of(std::size_t step, const Claimed& claimed) const {
    return "step " + std::to_string(step) + " has " + std::to_string(claimed.groups.size()) +
           " of its " + std::to_string(options_.tasks) + " groups" +
           (claimed.damaged == 0 ? ""
                                 : ", and " + std::to_string(claimed.damaged) +
                                       " are damaged, whose samplers must be started again");
  }
  [[noreturn]] void throw_waiting(std::size_t step, const Claimed& claimed) const {
    throw Error((StopSignals::requested() ? "the learner was asked to stop while it waited: "
                                          : "the learner gave up waiting: ") +
                    state_of(step, claimed),
                "run " + options_.run, kWaitingRemedy);
  }

  /// What was claimed and not trained on is there for whoever goes on; a store that fails now too
  /// gives it back when the next learner begins.
  void give_back(const Claimed& claimed) noexcept {
    try {
      std::vector<Lease> leases;
      for (const auto& [number, group] : claimed.groups) leases.push_back(group.lease);
      if (!leases.empty()) exchange_.store.give_back(leases);
    } catch (...) {  // what is under way says more
    }
  }

  void acknowledge() {
    if (leases_.empty()) return;
    const std::vector<LeaseStatus> statuses = exchange_.store.acknowledge(leases_);
    const auto lost = std::count(statuses.begin(), statuses.end(), LeaseStatus::lost);
    if (lost > 0)
      warn(std::to_string(lost) +
           " groups that were trained on have been handed to another "
           "reader of run " +
           options_.run +
           "; let one learner read a run, and raise "
           "AsyncOptions::lease_seconds");
  }

  Trainer* trainer_;
  Exchange<Store> exchange_;
  AsyncOptions options_;
  std::vector<Lease> leases_;  // of groups in the weights, not acknowledged
  bool begun_ = false;
  std::optional<std::uint64_t> published_;  // the step of the newest published weights
};

}  // namespace dualagent
