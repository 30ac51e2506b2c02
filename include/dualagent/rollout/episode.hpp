#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/model/backend.hpp"
#include "dualagent/rollout/pairing.hpp"
#include "dualagent/summary/rewriter.hpp"
#include "dualagent/text/dialect.hpp"
#include "dualagent/tools/tool.hpp"
#include "dualagent/trace/rollout.hpp"

namespace dualagent {

/// A running episode: a coroutine that suspends whenever it waits for a model or a tool.
class Episode {
 public:
  struct promise_type {
    std::exception_ptr error;
    Episode get_return_object() {
      return Episode(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { error = std::current_exception(); }
  };

  Episode(Episode&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Episode& operator=(Episode&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Episode() {
    if (handle_) handle_.destroy();
  }

  bool done() const { return handle_.done(); }

  /// Runs to the next wait or to the end; rethrows what the episode throws.
  void resume();

 private:
  explicit Episode(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

/// The episode waits for its model to continue `segment`.
struct PendingGeneration {
  AgentRole agent = AgentRole::answerer;
  std::size_t segment = 0;
};
/// The episode waits for the answers to `calls`.
struct PendingCalls {
  std::vector<ToolCall> calls;
};
/// What an episode waits for; nothing where it can go on.
using PendingRequest = std::variant<std::monostate, PendingGeneration, PendingCalls>;

/// Between an episode and its scheduler: the episode asks, the scheduler answers.
///
/// It writes the rollout's segments itself, as spans arrive, so that an episode can neither forge
/// nor reorder what a model sampled.
class EpisodeChannel {
  struct GenerationAwaiter {
    EpisodeChannel& channel;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<>) const noexcept {}
    const Generation& await_resume() const { return *channel.generation_; }
  };
  struct ToolsAwaiter {
    EpisodeChannel& channel;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<>) const noexcept {}
    const std::vector<ToolResult>& await_resume() const { return channel.results_; }
  };

 public:
  EpisodeChannel(const Task& task, std::size_t group, std::size_t member, SummaryWindow window,
                 std::size_t max_context_tokens);

  /// Goes on where `source` asked for its summary number `summary`, with its history as given:
  /// inherited. Errors: Error when `source` has asked for fewer summaries.
  EpisodeChannel(const Task& task, const Rollout& source, std::size_t summary, std::size_t member,
                 SummaryWindow window, std::size_t max_context_tokens);

  // For the episode.

  const Task& task() const { return *task_; }
  const Rollout& rollout() const { return rollout_; }
  /// The Answerer's current context.
  const Context& context() const { return rollout_.segments[current_].context; }
  std::size_t max_context_tokens() const { return max_context_tokens_; }
  /// Tokens that still fit into the current window.
  std::size_t room() const {
    const std::size_t used = context().size();
    return used < max_context_tokens_ ? max_context_tokens_ - used : 0;
  }

  /// Opens the next context window of the Answerer.
  void open(Context context) {
    open_segment(AgentRole::answerer, std::move(context));
    current_ = rollout_.segments.size() - 1;
  }

  /// Appends tokens that nobody sampled to the current window.
  void give(Provenance provenance, std::span<const Token> tokens) {
    rollout_.segments[current_].context.append(provenance, tokens);
  }

  /// `const Generation& g = co_await channel.answer(stop);`: one turn of the Answerer, appended.
  GenerationAwaiter answer(const StopRule& stop) {
    ++rollout_.turns;
    return generate({AgentRole::answerer, current_}, stop);
  }

  /// `const Generation& g = co_await channel.summarize(request, stop);`: a summary of the current
  /// window, sampled after `request` in it or in a window of its own.
  GenerationAwaiter summarize(std::span<const Token> request, const StopRule& stop);

  /// `const std::vector<ToolResult>& results = co_await channel.call(calls);`, in order of the
  /// calls.
  ToolsAwaiter call(std::vector<ToolCall> calls) {
    pending_ = PendingCalls{std::move(calls)};
    return {*this};
  }

  /// Counts a turn that could not be read.
  void count_malformed_turn() { ++rollout_.malformed_turns; }

  /// Marks how the episode ended; the episode then returns.
  void finish(RolloutStatus status, std::string ending, std::optional<std::string> answer = {}) {
    rollout_.status = status;
    rollout_.ending = std::move(ending);
    rollout_.answer = std::move(answer);
  }

  // For the scheduler.

  /// Stays until it is answered, so that a request that failed can be made again.
  const PendingRequest& pending() const { return pending_; }
  const StopRule& stop() const { return stop_; }
  std::size_t generations() const { return generations_; }

  /// Answers a PendingGeneration: the sampled span is appended to the segment that asked.
  void deliver(Generation&& generation);

  /// Answers a PendingCalls.
  void deliver(std::vector<ToolResult>&& results);

  /// A tool gave up or a model's request kept failing: the rollout leaves its group's statistics.
  void abort(const std::string& reason) {
    finish(RolloutStatus::aborted, "aborted: " + reason);
    pending_ = {};
  }

  Rollout take_rollout() { return std::move(rollout_); }

 private:
  void note_use(const ToolCall& call, const ToolResult& result);

  void open_segment(AgentRole owner, Context context);

  GenerationAwaiter generate(PendingGeneration request, const StopRule& stop);

  const Task* task_;
  SummaryWindow window_;
  std::size_t max_context_tokens_;
  Rollout rollout_;
  std::size_t current_ = 0;  // the Answerer's segment
  std::size_t generations_ = 0;
  PendingRequest pending_;
  StopRule stop_;
  std::optional<Generation> generation_;
  std::vector<ToolResult> results_;
};

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/rollout/episode.inl"
#endif
