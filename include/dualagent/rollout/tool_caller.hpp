#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "dualagent/core/number_text.hpp"
#include "dualagent/rollout/episode.hpp"
#include "dualagent/rollout/tool_workers.hpp"
#include "dualagent/tools/tool.hpp"

namespace dualagent {

/// Answers the tool calls of many episodes: a turn whose calls are all immediate at once, any other
/// on worker threads, its calls one after the other.
///
/// Errors: `AbortRollout` of a tool aborts its episode's rollout, whose calls are not tried again:
/// they may have done something. What else a tool set throws goes on to the caller.
/// See RolloutScheduler on tools that miss their deadline.
template <class Protocol>
class ToolCaller {
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

 public:
  /// What one episode keeps from call to call.
  class EpisodeCalls {
    friend class ToolCaller;
    std::shared_ptr<ToolMemory> memory_ = std::make_shared<ToolMemory>();
    std::shared_ptr<const Task> task_;  // a copy for workers
    std::shared_ptr<WorkerCall> running_;
    std::vector<ToolResult> results_;  // of the turn's calls so far
  };

  using Completions = ToolWorkers::Completions;
  /// Whether an episode has its answers (or was aborted), or waits for a worker.
  enum class Progress : std::uint8_t { answered, waiting };

  /// Threads start with the first call that wants one.
  ToolCaller(std::shared_ptr<const Protocol> protocol, std::shared_ptr<Completions> completions,
             std::size_t threads, double deadline_seconds)
      : protocol_(std::move(protocol)),
        completions_(std::move(completions)),
        threads_(threads),
        deadline_seconds_(deadline_seconds) {}

  /// Answers the channel's PendingCalls; `episode` is the id of its completions.
  Progress begin(std::size_t episode, EpisodeChannel& channel, EpisodeCalls& calls) {
    const std::vector<ToolCall>& asked = std::get<PendingCalls>(channel.pending()).calls;
    calls.results_.clear();
    if (std::all_of(asked.begin(), asked.end(), [&](const ToolCall& call) {
          return protocol_->tools.execution(call) == Execution::immediate;
        }))
      return call_at_once(asked, channel, calls);
    if (!workers_) workers_.emplace(completions_, threads_, deadline_seconds_);
    if (calls.task_ == nullptr) calls.task_ = std::make_shared<const Task>(channel.task());
    return submit_next(episode, asked, channel, calls);
  }

  /// Takes the completion of the call that the episode waits for.
  Progress take(const ToolWorkers::Finished& finished, EpisodeChannel& channel,
                EpisodeCalls& calls) {
    const auto call = std::exchange(calls.running_, nullptr);
    try {
      if (finished.error) std::rethrow_exception(finished.error);
    } catch (const AbortRollout& error) {
      channel.abort(error.what());
      return Progress::answered;
    }
    if (finished.outcome == ToolWorkers::Outcome::expired) {
      calls.results_.push_back(timed_out(call->call));
      calls.memory_ = std::make_shared<ToolMemory>();  // the late call may still use the old one
    } else {
      calls.results_.push_back(std::move(call->result));
    }
    const std::vector<ToolCall>& asked = std::get<PendingCalls>(channel.pending()).calls;
    if (calls.results_.size() < asked.size())
      return submit_next(finished.id, asked, channel, calls);
    channel.deliver(std::move(calls.results_));
    return Progress::answered;
  }

  /// Posts the calls that are late; returns when the next one will be.
  std::optional<ToolWorkers::Clock::time_point> expire_late() {
    return workers_ ? workers_->expire_late() : std::nullopt;
  }

 private:
  Progress call_at_once(const std::vector<ToolCall>& asked, EpisodeChannel& channel,
                        EpisodeCalls& calls) const {
    CallInfo info{
        .task = &channel.task(), .call = channel.rollout().calls, .memory = calls.memory_.get()};
    try {
      for (const ToolCall& call : asked) {
        calls.results_.push_back(protocol_->tools.call(call, info));
        ++info.call;
      }
      channel.deliver(std::move(calls.results_));
    } catch (const AbortRollout& error) {
      channel.abort(error.what());
    }
    return Progress::answered;
  }

  Progress submit_next(std::size_t episode, const std::vector<ToolCall>& asked,
                       const EpisodeChannel& channel, EpisodeCalls& calls) {
    const std::size_t next = calls.results_.size();
    calls.running_ = std::make_shared<WorkerCall>(WorkerCall{
        protocol_, calls.task_, calls.memory_, asked[next], channel.rollout().calls + next});
    workers_->submit(episode,
                     [call = calls.running_](const std::stop_token& cancel) { call->run(cancel); });
    return Progress::waiting;
  }

  ToolResult timed_out(const ToolCall& call) const {
    return {ToolStatus::timed_out, "'" + call.tool + "' gave no answer within " +
                                       shortest_text(deadline_seconds_) +
                                       " seconds and was told to stop"};
  }

  std::shared_ptr<const Protocol> protocol_;
  std::shared_ptr<Completions> completions_;
  std::size_t threads_;
  double deadline_seconds_;
  std::optional<ToolWorkers> workers_;
};

}  // namespace dualagent
