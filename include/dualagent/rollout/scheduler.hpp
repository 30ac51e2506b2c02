#pragma once

#include <algorithm>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "dualagent/core/check.hpp"
#include "dualagent/core/number_text.hpp"
#include "dualagent/core/random.hpp"
#include "dualagent/core/user_code.hpp"
#include "dualagent/rollout/dual_agent.hpp"
#include "dualagent/rollout/pairing.hpp"
#include "dualagent/rollout/tool_workers.hpp"

namespace dualagent {

struct SchedulerOptions {
  std::size_t max_live_episodes = 256;  ///< bounds the memory for keys and values
  std::size_t tool_threads = 2;         ///< started when a tool first wants a worker
  /// How long one call may take on a worker thread; infinity: as long as it wants. A call that
  /// takes longer is answered for the tool (ToolStatus::timed_out) and its CallInfo::cancel asks it
  /// to stop. Longer than the limits of the tools' own, e.g. SandboxLimits::wall_seconds.
  double tool_deadline_seconds = 120;

  void validate() const {
    require_option(max_live_episodes, kAtLeastOne, "max_live_episodes", "SchedulerOptions");
    require_option(tool_threads, kAtLeastOne, "tool_threads", "SchedulerOptions");
    require_option(tool_deadline_seconds, kPositiveOrInfinite, "tool_deadline_seconds",
                   "SchedulerOptions");
  }
};

/// How the two agents sample.
struct RolloutSampling {
  SamplingOptions answerer{};
  SamplingOptions summarizer{};

  void validate() const {
    require_option(answerer.temperature, kNotNegative, "answerer.temperature", "RolloutSampling");
    require_option(summarizer.temperature, kNotNegative, "summarizer.temperature",
                   "RolloutSampling");
  }
};

/// Which rollout to play: one that begins with its task, or a fork of another one.
struct RolloutStart {
  const Task* task = nullptr;
  std::size_t group = 0;
  std::size_t member = 0;
  const Rollout* source = nullptr;  ///< of a fork: whose history
  std::size_t summary = 0;          ///< of a fork: from which of the source's summary requests on
};

/// Plays many episodes at a time: whatever they wait for is gathered into batches, one decode batch
/// per model, tools on worker threads.
///
/// Determinism: a rollout depends on weights, task, `random`, group and member only (a fork also on
/// its source's history). Which other episodes run beside it, and when a tool happens to answer,
/// change nothing; a tool that misses its deadline does.
/// Tools that miss their deadline: no thread can be ended from outside. A tool that does not stop
/// either when its `cancel` token asks it to goes on in a thread that is left behind, beside the
/// run, after it and after this object, until it returns or the process ends. It shares the
/// ownership of the protocol, a copy of the task and the episode's memory, of which the episode's
/// later calls get a new one; what it refers to beyond these must live as long.
/// Errors: what a dialect, a rewriter or a backend throws ends `run` and leaves the models reset;
/// `AbortRollout` from a tool aborts that rollout only. The constructor throws Error for options
/// that cannot be meant and for a context limit above that of a model; `run` for a temperature that
/// is negative, NaN or infinite. What a policy throws and is not an Error becomes one.
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

  const Protocol& protocol() const { return *protocol_; }

  /// `group_size` rollouts of each task; result [tasks * group_size], member fastest.
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

  /// The given rollouts, in their order. No two may have the same group and member, or they draw
  /// the same numbers.
  std::vector<Rollout> run(std::span<const RolloutStart> starts, const RolloutSampling& sampling,
                           const RandomStream& random) {
    sampling.validate();
    check_starts(starts);
    live_.clear();
    std::vector<Rollout> rollouts(starts.size());
    try {
      call_user_code(
          "a model, a StopRule or a tool box", [] { return "RolloutScheduler::run"; },
          [&] { play(starts, sampling, random, rollouts); });
    } catch (...) {
      abandon();
      throw;
    }
    return rollouts;
  }

 private:
  /// One call on a worker. It owns all that the tool reads, because the tool may outlast the run.
  struct WorkerCall {
    std::shared_ptr<const Protocol> protocol;
    std::shared_ptr<const Task> task;
    std::shared_ptr<ToolMemory> memory;
    ToolCall call;
    std::size_t number = 0;  // among the rollout's calls
    ToolResult result = {};  // written by the worker
    void run(const std::stop_token& cancel) {
      result = protocol->tools.call(
          call, {.task = task.get(), .call = number, .memory = memory.get(), .cancel = cancel});
    }
  };

  static void check_starts(std::span<const RolloutStart> starts) {
    std::set<std::pair<std::size_t, std::size_t>> taken;
    for (const RolloutStart& start : starts) {
      const std::string place =
          "group " + std::to_string(start.group) + ", member " + std::to_string(start.member);
      if (start.task == nullptr)
        throw Error("a rollout has no task", place, "Set RolloutStart::task");
      if (!taken.insert({start.group, start.member}).second)
        throw Error("two rollouts have the same group and member", place,
                    "Number them apart, or they draw the same random numbers");
    }
  }

  void play(std::span<const RolloutStart> starts, const RolloutSampling& sampling,
            const RandomStream& random, std::vector<Rollout>& rollouts) {
    std::size_t started = 0;
    while (started < rollouts.size() || !live_.empty()) {
      for (; started < rollouts.size() && live_.size() < options_.max_live_episodes; ++started)
        live_.push_back(std::make_unique<Player>(started, *protocol_, starts[started], random));
      for (auto& player : live_) serve(*player, sampling);
      collect(rollouts);
      if (!live_.empty()) advance();
    }
  }

  /// One live episode.
  struct Player {
    Player(std::size_t index_, const Protocol& protocol, const RolloutStart& start,
           const RandomStream& random_)
        : index(index_),
          desk(desk_for(start, protocol.limits.max_context_tokens)),
          episode(play_dual_agent(protocol, desk)),
          random(random_.child(start.group).child(start.member)) {}
    static EpisodeDesk desk_for(const RolloutStart& start, std::size_t max_context_tokens) {
      constexpr SummaryWindow window = Pairing::summary_window;
      if (start.source == nullptr)
        return {*start.task, start.group, start.member, window, max_context_tokens};
      return {*start.task, *start.source, start.summary, start.member, window, max_context_tokens};
    }
    std::size_t index;
    EpisodeDesk desk;
    Episode episode;
    RandomStream random;
    bool waiting = false;  // for a model or a worker
    std::shared_ptr<ToolMemory> memory = std::make_shared<ToolMemory>();
    std::shared_ptr<const Task> task;  // a copy for workers
    std::shared_ptr<WorkerCall> at_work;
    std::vector<ToolResult> results;
    std::size_t segments_released = 0;
  };

  static constexpr SequenceId kSegmentsPerRollout = SequenceId{1} << 20;

  /// Lets the episode run until it waits for something that takes time, or ends.
  void serve(Player& player, const RolloutSampling& sampling) {
    while (!player.waiting && !player.episode.done() &&
           player.desk.rollout().status != RolloutStatus::aborted) {
      player.episode.resume();
      if (const auto* wanted = std::get_if<WantsGeneration>(&player.desk.want()))
        submit(player, *wanted, sampling);
      else if (const auto* tools = std::get_if<WantsTools>(&player.desk.want()))
        run_tools(player, *tools);
    }
  }

  void submit(Player& player, const WantsGeneration& wanted, const RolloutSampling& sampling) {
    GenerationRequest request;
    request.sequence = player.index * kSegmentsPerRollout + wanted.segment;
    request.context = player.desk.rollout().segments[wanted.segment].context.tokens();
    request.agent = wanted.agent;
    request.sampling =
        wanted.agent == AgentRole::answerer ? sampling.answerer : sampling.summarizer;
    request.stop = &player.desk.stop();
    request.random = player.random.child(player.desk.generations());
    for_each_model(pairing_, [&](auto& model, std::size_t index) {
      if (index == Pairing::model_of(wanted.agent)) model.submit(request);
    });
    player.waiting = true;
  }

  void run_tools(Player& player, const WantsTools& wanted) {
    const bool immediate =
        std::all_of(wanted.calls.begin(), wanted.calls.end(), [&](const ToolCall& call) {
          return protocol_->tools.execution(call) == Execution::immediate;
        });
    player.results.clear();
    if (immediate) {
      try {
        call_all(player, wanted);
        player.desk.deliver(std::move(player.results));
      } catch (const AbortRollout& error) {
        player.desk.abort(error.what());
      }
      return;
    }
    if (!workers_) workers_.emplace(options_.tool_threads, options_.tool_deadline_seconds);
    if (player.task == nullptr) player.task = std::make_shared<const Task>(player.desk.task());
    submit_next_call(player, wanted);
  }

  void call_all(Player& player, const WantsTools& wanted) const {
    CallInfo info{.task = &player.desk.task(),
                  .call = player.desk.rollout().calls,
                  .memory = player.memory.get()};
    for (const ToolCall& call : wanted.calls) {
      player.results.push_back(protocol_->tools.call(call, info));
      ++info.call;
    }
  }

  /// The calls of a turn go to the workers one after the other.
  void submit_next_call(Player& player, const WantsTools& wanted) {
    const std::size_t next = player.results.size();
    player.at_work = std::make_shared<WorkerCall>(WorkerCall{protocol_, player.task, player.memory,
                                                             wanted.calls[next],
                                                             player.desk.rollout().calls + next});
    player.waiting = true;
    ++tools_running_;
    workers_->submit(player.index,
                     [call = player.at_work](const std::stop_token& cancel) { call->run(cancel); });
  }

  /// One step of every model, and whatever the tool workers have finished.
  void advance() {
    std::size_t running = 0;
    for_each_model(pairing_, [&](auto& model, auto) {
      running += model.advance([&](Generation&& generation) {
        Player& player = find(generation.sequence / kSegmentsPerRollout);
        player.desk.deliver(std::move(generation));
        player.waiting = false;
      });
    });
    if (tools_running_ == 0) return;
    const bool idle = running == 0 && std::all_of(live_.begin(), live_.end(),
                                                  [](const auto& p) { return p->waiting; });
    workers_->take_finished(finished_, idle ? ToolWorkers::Wait::for_one : ToolWorkers::Wait::no);
    for (ToolWorkers::Finished& finished : finished_) take_tool_result(finished);
  }

  void take_tool_result(const ToolWorkers::Finished& finished) {
    --tools_running_;
    Player& player = find(finished.id);
    player.waiting = false;
    const auto call = std::exchange(player.at_work, nullptr);
    try {
      if (finished.error) std::rethrow_exception(finished.error);
      if (finished.outcome == ToolWorkers::Outcome::expired) {
        player.results.push_back(timed_out(call->call));
        player.memory = std::make_shared<ToolMemory>();  // the late call may still use the old one
      } else {
        player.results.push_back(std::move(call->result));
      }
      const auto& wanted = std::get<WantsTools>(player.desk.want());
      if (player.results.size() < wanted.calls.size()) return submit_next_call(player, wanted);
      player.desk.deliver(std::move(player.results));
    } catch (const AbortRollout& error) {
      player.desk.abort(error.what());
    }
  }

  ToolResult timed_out(const ToolCall& call) const {
    return {ToolStatus::timed_out, "'" + call.tool + "' gave no answer within " +
                                       shortest_text(options_.tool_deadline_seconds) +
                                       " seconds and was told to stop"};
  }

  Player& find(std::size_t index) {  // live_ is sorted by index
    const auto found =
        std::lower_bound(live_.begin(), live_.end(), index,
                         [](const auto& player, std::size_t i) { return player->index < i; });
    return **found;
  }

  /// Takes the rollouts of ended episodes and frees what the models keep for closed windows.
  void collect(std::vector<Rollout>& rollouts) {
    for (auto& player : live_) {
      const bool ended =
          player->episode.done() || player->desk.rollout().status == RolloutStatus::aborted;
      release_closed_windows(*player, ended);
      if (!ended) continue;
      rollouts[player->index] = player->desk.take_rollout();
      player.reset();
    }
    std::erase(live_, nullptr);
  }

  void release_closed_windows(Player& player, bool ended) {
    const std::size_t open = player.desk.rollout().segments.size();
    const std::size_t last = ended ? open : open - 1;
    for (; player.segments_released < last; ++player.segments_released)
      for_each_model(pairing_, [&](auto& model, auto) {
        model.release(player.index * kSegmentsPerRollout + player.segments_released);
      });
  }

  void abandon() {
    workers_.reset();
    tools_running_ = 0;
    live_.clear();
    for_each_model(pairing_, [](auto& model, auto) { model.reset(); });
  }

  Pairing pairing_;
  std::shared_ptr<const Protocol> protocol_;
  SchedulerOptions options_;
  std::vector<std::unique_ptr<Player>> live_;
  std::optional<ToolWorkers> workers_;
  std::vector<ToolWorkers::Finished> finished_;
  std::size_t tools_running_ = 0;
};

}  // namespace dualagent
