#pragma once

#include <algorithm>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "dualagent/core/random.hpp"
#include "dualagent/rollout/dual_agent.hpp"
#include "dualagent/rollout/pairing.hpp"
#include "dualagent/rollout/tool_workers.hpp"

namespace dualagent {

struct SchedulerOptions {
  std::size_t max_live_episodes = 256;  ///< bounds the memory for keys and values
  std::size_t tool_threads = 2;         ///< started when a tool first wants a worker
};

/// How the two agents sample.
struct RolloutSampling {
  SamplingOptions answerer;
  SamplingOptions summarizer;
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
/// change nothing.
/// Errors: what a dialect, a rewriter or a backend throws ends `run` and leaves the models reset;
/// `AbortRollout` from a tool aborts that rollout only.
template <class Pairing, class Protocol>
class RolloutScheduler {
 public:
  RolloutScheduler(Pairing pairing, Protocol protocol, SchedulerOptions options = {})
      : pairing_(pairing), protocol_(std::move(protocol)), options_(options) {}

  const Protocol& protocol() const { return protocol_; }

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
    live_.clear();
    std::vector<Rollout> rollouts(starts.size());
    std::size_t started = 0;
    const std::size_t most = std::max<std::size_t>(1, options_.max_live_episodes);
    try {
      while (started < rollouts.size() || !live_.empty()) {
        for (; started < rollouts.size() && live_.size() < most; ++started)
          live_.push_back(std::make_unique<Player>(started, protocol_, starts[started], random));
        for (auto& player : live_) serve(*player, sampling);
        collect(rollouts);
        if (!live_.empty()) advance();
      }
    } catch (...) {
      abandon();
      throw;
    }
    return rollouts;
  }

 private:
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
    ToolMemory memory;
    std::vector<ToolResult> results;  // written by a worker
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
          return protocol_.tools.execution(call) == Execution::immediate;
        });
    player.results.clear();
    if (immediate) {
      try {
        call_all(player, wanted, {});
        player.desk.deliver(std::move(player.results));
      } catch (const AbortRollout& error) {
        player.desk.abort(error.what());
      }
      return;
    }
    if (!workers_) workers_.emplace(std::max<std::size_t>(1, options_.tool_threads));
    player.waiting = true;
    ++tools_running_;
    workers_->submit(player.index, [this, &player, &wanted, cancel = workers_->cancel()] {
      call_all(player, wanted, cancel);
    });
  }

  void call_all(Player& player, const WantsTools& wanted, const std::stop_token& cancel) const {
    CallInfo info{.task = &player.desk.task(),
                  .call = player.desk.rollout().calls,
                  .memory = &player.memory,
                  .cancel = cancel};
    for (const ToolCall& call : wanted.calls) {
      player.results.push_back(protocol_.tools.call(call, info));
      ++info.call;
    }
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
    for (ToolWorkers::Finished& finished : finished_) take_tool_results(finished);
  }

  void take_tool_results(const ToolWorkers::Finished& finished) {
    --tools_running_;
    Player& player = find(finished.id);
    player.waiting = false;
    try {
      if (finished.error) std::rethrow_exception(finished.error);
      player.desk.deliver(std::move(player.results));
    } catch (const AbortRollout& error) {
      player.desk.abort(error.what());
    }
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
  Protocol protocol_;
  SchedulerOptions options_;
  std::vector<std::unique_ptr<Player>> live_;
  std::optional<ToolWorkers> workers_;
  std::vector<ToolWorkers::Finished> finished_;
  std::size_t tools_running_ = 0;
};

}  // namespace dualagent
