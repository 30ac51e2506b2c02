#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
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
#include "dualagent/rollout/rollout_journal.hpp"
#include "dualagent/rollout/tool_workers.hpp"
#include "dualagent/tools/tool.hpp"

namespace dualagent {

/// Answers the tool calls of many episodes: a turn whose calls are all immediate at once, any other
/// on worker threads, its calls one after the other. What the episode's journal has is answered
/// from there.
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
    std::size_t number = 0;        // among the rollout's calls
    JournalledAnswer answer = {};  // written by the worker
    void run(const std::stop_token& cancel) {
      answer = ask(*protocol, call,
                   {.task = task.get(), .call = number, .memory = memory.get(), .cancel = cancel});
    }
  };
  static JournalledAnswer ask(const Protocol& protocol, const ToolCall& call,
                              const CallInfo& info) {
    const std::size_t uses = info.memory->uses();
    ToolResult result = protocol.tools.call(call, info);
    return {std::move(result), info.memory->uses() != uses};
  }

 public:
  /// What one episode keeps from call to call.
  class EpisodeCalls {
    friend class ToolCaller;
    struct NumberedCall {
      ToolCall call;
      std::size_t number;  // among the rollout's calls
    };
    std::shared_ptr<ToolMemory> memory_ = std::make_shared<ToolMemory>();
    std::shared_ptr<const Task> task_;  // a copy for workers
    std::shared_ptr<WorkerCall> running_;
    std::vector<ToolResult> results_;    // of the turn's calls so far
    std::deque<NumberedCall> remember_;  // to be made again for what they left in the memory
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
  Progress begin(std::size_t episode, EpisodeChannel& channel, EpisodeCalls& calls,
                 JournalEntry& journal) {
    const std::vector<ToolCall>& asked = std::get<PendingCalls>(channel.pending()).calls;
    calls.results_.clear();
    if (take_recorded(asked, channel, calls, journal)) return Progress::answered;
    if (std::all_of(asked.begin(), asked.end(), [&](const ToolCall& call) {
          return protocol_->tools.execution(call) == Execution::immediate;
        }))
      return call_at_once(asked, channel, calls, journal);
    if (!workers_) workers_.emplace(completions_, threads_, deadline_seconds_);
    if (calls.task_ == nullptr) calls.task_ = std::make_shared<const Task>(channel.task());
    return submit_next(episode, asked, channel, calls);
  }

  /// Takes the completion of the call that the episode waits for.
  Progress take(const ToolWorkers::Finished& finished, EpisodeChannel& channel, EpisodeCalls& calls,
                JournalEntry& journal) {
    const auto call = std::exchange(calls.running_, nullptr);
    try {
      if (finished.error) std::rethrow_exception(finished.error);
    } catch (const AbortRollout& error) {
      return abort(error, channel, journal);
    }
    const bool expired = finished.outcome == ToolWorkers::Outcome::expired;
    if (expired)
      calls.memory_ = std::make_shared<ToolMemory>();  // the late call may still use the old one
    const std::vector<ToolCall>& asked = std::get<PendingCalls>(channel.pending()).calls;
    if (!calls.remember_.empty()) {
      calls.remember_.pop_front();
    } else {
      add(call->call, expired ? JournalledAnswer{timed_out(call->call)} : std::move(call->answer),
          calls, journal);
      if (calls.results_.size() == asked.size()) {
        channel.deliver(std::move(calls.results_));
        return Progress::answered;
      }
    }
    return submit_next(finished.id, asked, channel, calls);
  }

  /// Posts the calls that are late; returns when the next one will be.
  std::optional<ToolWorkers::Clock::time_point> expire_late() {
    return workers_ ? workers_->expire_late() : std::nullopt;
  }

 private:
  static void add(const ToolCall& call, JournalledAnswer answer, EpisodeCalls& calls,
                  JournalEntry& journal) {
    journal.add_answer(call, answer);
    calls.results_.push_back(std::move(answer.result));
  }

  static Progress abort(const AbortRollout& error, EpisodeChannel& channel, JournalEntry& journal) {
    journal.add_abort(error.what());
    channel.abort(error.what());
    return Progress::answered;
  }

  /// Takes what the journal has of the turn's answers; whether that was all.
  bool take_recorded(const std::vector<ToolCall>& asked, EpisodeChannel& channel,
                     EpisodeCalls& calls, JournalEntry& journal) const {
    while (calls.results_.size() < asked.size()) {
      if (const std::optional<std::string> reason = journal.next_abort()) {
        channel.abort(*reason);
        return true;
      }
      const ToolCall& call = asked[calls.results_.size()];
      std::optional<JournalledAnswer> answer = journal.next_answer(call);
      if (!answer) return false;
      if (answer->used_memory)
        calls.remember_.push_back({call, channel.rollout().calls + calls.results_.size()});
      calls.results_.push_back(std::move(answer->result));
    }
    channel.deliver(std::move(calls.results_));
    return true;
  }

  Progress call_at_once(const std::vector<ToolCall>& asked, EpisodeChannel& channel,
                        EpisodeCalls& calls, JournalEntry& journal) const {
    CallInfo info{.task = &channel.task(), .memory = calls.memory_.get()};
    try {
      for (; !calls.remember_.empty(); calls.remember_.pop_front()) {
        info.call = calls.remember_.front().number;
        protocol_->tools.call(calls.remember_.front().call, info);
      }
      while (calls.results_.size() < asked.size()) {
        const ToolCall& call = asked[calls.results_.size()];
        info.call = channel.rollout().calls + calls.results_.size();
        add(call, ask(*protocol_, call, info), calls, journal);
      }
      channel.deliver(std::move(calls.results_));
    } catch (const AbortRollout& error) {
      return abort(error, channel, journal);
    }
    return Progress::answered;
  }

  Progress submit_next(std::size_t episode, const std::vector<ToolCall>& asked,
                       const EpisodeChannel& channel, EpisodeCalls& calls) {
    const std::size_t next = calls.results_.size();
    const typename EpisodeCalls::NumberedCall due =
        calls.remember_.empty()
            ? typename EpisodeCalls::NumberedCall{asked[next], channel.rollout().calls + next}
            : calls.remember_.front();
    calls.running_ = std::make_shared<WorkerCall>(
        WorkerCall{protocol_, calls.task_, calls.memory_, due.call, due.number});
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
