#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "dualagent/core/check.hpp"
#include "dualagent/core/random.hpp"
#include "dualagent/core/user_code.hpp"
#include "dualagent/rollout/live_episode.hpp"
#include "dualagent/rollout/pairing.hpp"
#include "dualagent/rollout/play_together.hpp"
#include "dualagent/rollout/rollout_journal.hpp"
#include "dualagent/rollout/rollout_start.hpp"
#include "dualagent/rollout/tool_caller.hpp"

namespace dualagent {

/// Bounds of a stream of rollouts, and what becomes of late tools and failed requests.
struct SchedulerOptions {
  std::size_t max_live_episodes = 256;  ///< bounds the memory for keys and values
  std::size_t tool_threads = 2;         ///< started when a tool first wants a worker
  /// How long one call may take on a worker thread; infinity: as long as it wants. A call that
  /// takes longer is answered for the tool (ToolStatus::timed_out) and its CallInfo::cancel asks it
  /// to stop. Longer than the limits of the tools' own, e.g. SandboxLimits::wall_seconds.
  double tool_deadline_seconds = 120;
  /// Attempts after the first of a request that a model gives back as failed; then its rollout is
  /// aborted. Waiting between attempts is the sampler's business.
  std::size_t request_retries = 2;

  void validate() const {
    require_option(max_live_episodes, kAtLeastOne, "max_live_episodes", "SchedulerOptions");
    require_option(tool_threads, kThreads, "tool_threads", "SchedulerOptions");
    require_option(tool_deadline_seconds, kPositiveOrInfinite, "tool_deadline_seconds",
                   "SchedulerOptions");
  }
};

/// A rollout that has left the stream.
struct FinishedRollout {
  std::size_t ticket = 0;  ///< as `start` gave it
  Rollout rollout;
  std::size_t retries = 0;  ///< model requests that failed and were made again
};

/// A stream of rollouts: `start` adds them, `next_finished` plays until one has ended. Whatever the
/// live episodes wait for is gathered, one decode batch per model, tools on worker threads; where
/// all of them wait for something that happens elsewhere, the thread sleeps.
///
/// Rollouts may live on while the caller does other things, e.g. updates weights: they advance only
/// in `next_finished`, and every sampled token carries the version of the weights it was drawn
/// from. Meanwhile nobody else may submit to the models.
///
/// Determinism: a rollout depends on weights, task, `random`, group and member only (a fork also on
/// its source's history). Which other episodes run beside it, when a tool happens to answer and how
/// often a request failed before it was answered change nothing; a tool that misses its deadline
/// does. The order in which rollouts end depends on time.
///
/// Tools that miss their deadline: no thread can be ended from outside. A tool that does not stop
/// either when its `cancel` token asks it to goes on in a thread that is left behind, beside the
/// run, after it and after this object, until it returns or the process ends. It shares the
/// ownership of the protocol, a copy of the task and the episode's memory, of which the episode's
/// later calls get a new one; what it refers to beyond these must live as long.
///
/// Errors: a request that a model gives back as failed is made again, then costs its rollout only,
/// as `AbortRollout` of a tool does at once: it is aborted, and its `ending` has the reason. What a
/// dialect, a rewriter or a model throws ends the stream: `next_finished` throws, all unfinished
/// rollouts are dropped, the models are reset, and the next `start` begins anew. What a policy
/// throws and is not an Error becomes one. The constructor throws Error for options that cannot be
/// meant and for a context limit above that of a model.
///
/// Example:
///   for (const RolloutStart& start : starts) scheduler.start(start, sampling, random);
///   while (auto finished = scheduler.next_finished()) use(finished->rollout);
template <class Pairing, class Protocol>
class RolloutScheduler {
  static_assert(check_pairing<Pairing>());
  static_assert(check_protocol<Protocol>());

 public:
  RolloutScheduler(Pairing pairing, Protocol protocol, SchedulerOptions options = {})
      : pairing_(pairing),
        protocol_(std::make_shared<const Protocol>(std::move(protocol))),
        options_(options) {
    options_.validate();
    const std::size_t limit = protocol_->limits.max_context_tokens;
    for_each_model(pairing_, [&](auto& model, std::size_t index) {
      if (limit > model.max_context_tokens())
        throw Error("RolloutLimits::max_context_tokens is " + std::to_string(limit) +
                        ", but model " + std::to_string(index) + " of the pair reads " +
                        std::to_string(model.max_context_tokens()) + " tokens at most",
                    "RolloutScheduler", "Lower the limit, or use a model that reads more");
    });
  }
  RolloutScheduler(const RolloutScheduler&) = delete;
  RolloutScheduler& operator=(const RolloutScheduler&) = delete;
  /// Drops what is unfinished and leaves the models reset if there was any.
  ~RolloutScheduler() {
    if (unfinished() > 0) abandon();
  }

  const Protocol& protocol() const { return *protocol_; }

  /// From now on what rollouts are answered is kept in `journal`, and what it already has is
  /// answered from there (see RolloutJournal); null: no longer. Errors: Error while rollouts are
  /// unfinished.
  void use_journal(RolloutJournal* journal) {
    require_all_finished("RolloutScheduler::use_journal");
    journal_ = journal;
  }

  /// Adds a rollout to the stream and returns its ticket: 0, 1, 2, ... It begins, in the order of
  /// tickets, when `next_finished` has room for it among `max_live_episodes`.
  ///
  /// Two rollouts of one group and member draw the same numbers, unless their `random` differs.
  /// Errors: Error without a task, and for a temperature that is negative, NaN or infinite.
  std::size_t start(const RolloutStart& rollout, const RolloutSampling& sampling,
                    const RandomStream& random) {
    static_assert(!samples_on_model_axis<Pairing>(),
                  "dualagent: rollouts of a model on several ranks are played by run(), which all "
                  "of them call; see docs/collectives.md#two-axes");
    return enqueue(rollout, sampling, random);
  }

  /// Plays until a rollout has ended and returns it; nothing if none is unfinished.
  std::optional<FinishedRollout> next_finished() {
    try {
      call_user_code(
          "a model, a StopRule or a tool box", [] { return "RolloutScheduler"; },
          [&] { play_until_one_ends(); });
    } catch (...) {
      abandon();
      throw;
    }
    if (finished_.empty()) return std::nullopt;
    FinishedRollout finished = std::move(finished_.front());
    finished_.pop_front();
    return finished;
  }

  /// Rollouts that were started and that `next_finished` has not returned.
  std::size_t unfinished() const { return queued_.size() + live_.size() + finished_.size(); }

  /// Drops all unfinished rollouts, asks their tools to stop and resets the models.
  void abandon() {
    tools_.reset();
    completions_ = std::make_shared<Completions>();  // what comes late is not for us
    queued_.clear();
    if (journal_ != nullptr) journal_->fail();
    live_.clear();
    finished_.clear();
    requests_ = {};
    for_each_model(pairing_, [](auto& model, auto) { model.reset(); });
  }

  /// Starts `group_size` rollouts of each task and plays all: [tasks * group_size], member fastest.
  ///
  /// `first_group` offsets the group numbers (and with them the random streams), so that a rank or
  /// a later call that plays other tasks of the same batch draws other numbers.
  std::vector<Rollout> run(std::span<const Task> tasks, std::size_t group_size,
                           const RolloutSampling& sampling, const RandomStream& random,
                           std::size_t first_group = 0) {
    std::vector<RolloutStart> starts;
    for (std::size_t i = 0; i < tasks.size() * group_size; ++i)
      starts.push_back({&tasks[i / group_size], first_group + i / group_size, i % group_size});
    return run(starts, sampling, random);
  }

  /// Starts the given rollouts and plays all; returns them in the order of `starts`. Of a pair with
  /// a model on several ranks all of these call it, and rank 0 plays (`play_together`).
  /// Errors: as `start` and `next_finished`; Error if two have the same group and member, or if
  /// others are unfinished.
  std::vector<Rollout> run(std::span<const RolloutStart> starts, const RolloutSampling& sampling,
                           const RandomStream& random) {
    sampling.validate();
    check_starts(starts);
    require_all_finished("RolloutScheduler::run");
    return play_together(pairing_, starts, [&] {
      const std::size_t first = next_ticket_;
      for (const RolloutStart& one : starts) enqueue(one, sampling, random);
      std::vector<Rollout> rollouts(starts.size());
      while (std::optional<FinishedRollout> finished = next_finished())
        rollouts[finished->ticket - first] = std::move(finished->rollout);
      return rollouts;
    });
  }

 private:
  using Completions = ToolWorkers::Completions;
  using Tools = ToolCaller<Protocol>;
  static constexpr std::size_t kModels =
      std::tuple_size_v<decltype(std::declval<const Pairing&>().models())>;

  std::size_t enqueue(const RolloutStart& rollout, const RolloutSampling& sampling,
                      const RandomStream& random) {
    sampling.validate();
    check_task(rollout);
    if (journal_ != nullptr && unfinished() == 0) journal_->begin_together();
    const RandomStream own = random.child(rollout.group).child(rollout.member);
    queued_.push_back({next_ticket_, rollout, sampling, own});
    return next_ticket_++;
  }

  void require_all_finished(const char* where) const {
    if (unfinished() > 0)
      throw Error(std::to_string(unfinished()) + " rollouts are unfinished", where,
                  "Take them with next_finished, or abandon them");
  }

  static std::string place_of_start(const RolloutStart& start) {
    return "group " + std::to_string(start.group) + ", member " + std::to_string(start.member);
  }

  static void check_task(const RolloutStart& start) {
    if (start.task == nullptr)
      throw Error("a rollout has no task", place_of_start(start), "Set RolloutStart::task");
  }

  static void check_starts(std::span<const RolloutStart> starts) {
    std::set<std::pair<std::size_t, std::size_t>> taken;
    for (const RolloutStart& start : starts) {
      check_task(start);
      if (!taken.insert({start.group, start.member}).second)
        throw Error("two rollouts have the same group and member", place_of_start(start),
                    "Number them apart, or they draw the same random numbers");
    }
  }

  using Live = detail::LiveEpisode<Protocol, Pairing::summary_window>;

  void play_until_one_ends() {
    while (finished_.empty() && unfinished() > 0) {
      for (; !queued_.empty() && live_.size() < options_.max_live_episodes; queued_.pop_front())
        live_.push_back(std::make_unique<Live>(*protocol_, queued_.front(), journal_));
      for (auto& live : live_) serve(*live);
      collect();
      if (finished_.empty()) advance();
    }
  }

  /// Lets the episode run until it waits for something that takes time, or ends.
  void serve(Live& live) {
    while (!live.waiting && !live.ended()) {
      if (std::holds_alternative<std::monostate>(live.channel.pending())) live.episode.resume();
      if (const auto* generation = std::get_if<PendingGeneration>(&live.channel.pending()))
        take_recorded(live, *generation) ? void() : submit(live, *generation);
      else if (std::holds_alternative<PendingCalls>(live.channel.pending()))
        live.waiting = tools().begin(live.ticket, live.channel, live.calls, live.journal) ==
                       Tools::Progress::waiting;
    }
  }

  /// Whether the journal had what became of the request.
  static bool take_recorded(Live& live, const PendingGeneration& pending) {
    if (const std::optional<std::string> reason = live.journal.next_abort()) {
      live.channel.abort(*reason);
      return true;
    }
    std::optional<Generation> recorded =
        live.journal.next_generation(live.sequence(pending.segment), live.context(pending.segment));
    if (recorded) live.channel.deliver(std::move(*recorded));
    return recorded.has_value();
  }

  void submit(Live& live, const PendingGeneration& pending) {
    GenerationRequest request;
    request.sequence = live.sequence(pending.segment);
    request.context = live.context(pending.segment);
    request.agent = pending.agent;
    request.sampling = live.sampling.of(pending.agent);
    request.stop = &live.channel.stop();
    request.random = live.random.child(live.channel.generations());
    request.on_ready = [completions = completions_] { completions->wake(); };
    for_each_model(pairing_, [&](auto& model, std::size_t index) {
      if (index != Pairing::model_of(pending.agent)) return;
      model.submit(request);
      ++requests_[index];
    });
    live.waiting = true;
  }

  /// One step of every model that has requests, and whatever has been completed elsewhere. Sleeps
  /// if no model computes here and no episode can go on.
  void advance() {
    std::size_t computing = 0;
    for_each_model(pairing_, [&](auto& model, std::size_t index) {
      if (requests_[index] == 0) return;
      computing += model.advance([&](Generation&& generation) {
        --requests_[index];
        take_generation(find(Live::ticket_of(generation.sequence)), std::move(generation));
      });
    });
    const bool idle = computing == 0 && std::all_of(live_.begin(), live_.end(),
                                                    [](const auto& l) { return l->waiting; });
    completions_->take(completed_, idle ? Completions::Wait::for_one : Completions::Wait::no,
                       tools().expire_late());
    for (const ToolWorkers::Finished& call : completed_) {
      Live& live = find(call.id);
      live.waiting =
          tools().take(call, live.channel, live.calls, live.journal) == Tools::Progress::waiting;
    }
    if (journal_ != nullptr) journal_->commit();
  }

  void take_generation(Live& live, Generation&& generation) {
    live.waiting = false;
    if (generation.finish != FinishReason::failed) {
      live.failures = 0;
      const auto& pending = std::get<PendingGeneration>(live.channel.pending());
      live.journal.add_generation(live.context(pending.segment), generation);
      return live.channel.deliver(std::move(generation));
    }
    if (live.failures++ < options_.request_retries) {
      ++live.retries;  // it stays pending: `serve` submits it again
      return;
    }
    const std::string reason = "a model's request failed " + std::to_string(live.failures) +
                               (live.failures == 1 ? " time: " : " times: ") + generation.failure;
    live.journal.add_abort(reason);
    live.channel.abort(reason);
  }

  Tools& tools() {
    if (!tools_)
      tools_.emplace(protocol_, completions_, options_.tool_threads,
                     options_.tool_deadline_seconds);
    return *tools_;
  }

  Live& find(std::size_t ticket) {  // live_ is sorted by ticket
    const auto found =
        std::lower_bound(live_.begin(), live_.end(), ticket,
                         [](const auto& live, std::size_t t) { return live->ticket < t; });
    return **found;
  }

  /// Takes the rollouts of ended episodes and frees what the models keep for closed windows.
  void collect() {
    for (auto& live : live_) {
      release_closed_windows(*live);
      if (!live->ended()) continue;
      finished_.push_back({live->ticket, live->channel.take_rollout(), live->retries});
      live.reset();
    }
    std::erase(live_, nullptr);
  }

  void release_closed_windows(Live& live) {
    const std::size_t open = live.channel.rollout().segments.size();
    const std::size_t last = live.ended() ? open : open - 1;
    for (; live.segments_released < last; ++live.segments_released)
      for_each_model(pairing_, [&](auto& model, auto) {
        model.release(live.sequence(live.segments_released));
      });
  }

  Pairing pairing_;
  std::shared_ptr<const Protocol> protocol_;
  SchedulerOptions options_;
  RolloutJournal* journal_ = nullptr;
  std::size_t next_ticket_ = 0;
  std::deque<detail::QueuedRollout> queued_;  // in the order of tickets
  std::vector<std::unique_ptr<Live>> live_;   // in the order of tickets
  std::deque<FinishedRollout> finished_;
  std::array<std::size_t, kModels> requests_{};  // of each model, not yet handed over
  std::shared_ptr<Completions> completions_ = std::make_shared<Completions>();
  std::optional<Tools> tools_;
  std::vector<ToolWorkers::Finished> completed_;
};

}  // namespace dualagent
