#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <limits>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/model/scripted.hpp"
#include "support/wait_for.hpp"

/// A test double of a model that computes elsewhere: `advance` hands over what a server has
/// answered, and never waits. The server is the test: `answer` and `fail`, on a thread of its own
/// or between two steps of the scheduler.
class RemoteModel {
 public:
  using Script = dualagent::ScriptedModel::Script;

  RemoteModel(std::size_t vocab_size, Script script)
      : vocab_size_(vocab_size), script_(std::move(script)) {}

  std::size_t vocab_size() const { return vocab_size_; }
  std::size_t max_context_tokens() const { return std::numeric_limits<std::size_t>::max(); }
  dualagent::WeightVersion weight_version() const { return version_; }

  void submit(const dualagent::GenerationRequest& request) {
    {
      const std::lock_guard lock(mutex_);
      waiting_.push_back({request, version_});
    }
    arrived_.notify_all();
  }

  template <class OnFinished>
  std::size_t advance(OnFinished&& on_finished) {
    std::vector<dualagent::Generation> answered;
    {
      const std::lock_guard lock(mutex_);
      answered.swap(answered_);
    }
    for (dualagent::Generation& generation : answered) on_finished(std::move(generation));
    return 0;
  }

  void release(dualagent::SequenceId) {}
  void reset() {
    const std::lock_guard lock(mutex_);
    waiting_.clear();
    answered_.clear();
  }

  // The server's side.

  /// New weights: of requests that are submitted from now on.
  void publish(dualagent::WeightVersion version) { version_ = version; }

  enum class Next { oldest, newest };
  /// Waits until `count` requests are waiting and answers one of them.
  void answer(Next next = Next::oldest, std::size_t count = 1) {
    reply(next, count, [&](const Waiting& waiting) {
      const dualagent::GenerationRequest& request = waiting.request;
      std::vector<dualagent::Token> tokens =
          script_(request.context, request.agent, request.random);
      std::vector<float> log_probs(tokens.size(), -0.5F);
      return dualagent::Generation{request.sequence, dualagent::BackendAccess::sampled(
                                                         request.agent, waiting.version,
                                                         std::move(tokens), std::move(log_probs))};
    });
  }
  /// As `answer`, but the request fails.
  void fail(const std::string& reason, Next next = Next::oldest, std::size_t count = 1) {
    reply(next, count, [&](const Waiting& waiting) {
      return dualagent::Generation::failed(waiting.request, reason);
    });
  }

 private:
  struct Waiting {
    dualagent::GenerationRequest request;
    dualagent::WeightVersion version;
  };

  template <class Make>
  void reply(Next next, std::size_t count, const Make& make) {
    std::unique_lock lock(mutex_);
    if (!arrived_.wait_until(lock, end_of_patience(), [&] { return waiting_.size() >= count; }))
      throw std::runtime_error("two minutes have passed without a request");
    const Waiting chosen = next == Next::oldest ? waiting_.front() : waiting_.back();
    next == Next::oldest ? waiting_.pop_front() : waiting_.pop_back();
    answered_.push_back(make(chosen));
    lock.unlock();
    chosen.request.on_ready();
  }

  std::size_t vocab_size_;
  Script script_;
  dualagent::WeightVersion version_ = 0;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<Waiting> waiting_;
  std::vector<dualagent::Generation> answered_;
};
static_assert(dualagent::Sampler<RemoteModel>);
