#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "dualagent/core/compiled.hpp"

namespace dualagent {

/// Does what a collective starts on a thread of its own, one after the other, while the caller goes
/// on. The thread is made at the first `start` and sleeps where there is nothing to do.
///
/// Determinism: in the order in which they were started, each as a whole.
/// Example: BackgroundSums sums([&] { group.abort("..."); });
///          auto sum = sums.start([=] { collective.all_reduce_sum(values); });  ...  sum.wait();
class BackgroundSums {
  struct State;

 public:
  /// Something that was started.
  class Sum {
   public:
    Sum(Sum&&) noexcept = default;
    Sum& operator=(Sum&&) = delete;
    /// Without `wait` the work is interrupted, so that it does not outlive the array.
    ~Sum() {
      if (state_ == nullptr) return;
      owner_->abandon(*state_);
    }

    /// Until it is done. Errors: what it threw.
    void wait();

   private:
    friend class BackgroundSums;
    Sum(BackgroundSums* owner, std::shared_ptr<State> state)
        : owner_(owner), state_(std::move(state)) {}
    BackgroundSums* owner_;
    std::shared_ptr<State> state_;
  };

  /// `interrupt` makes work in progress throw soon; it may come from any thread.
  explicit BackgroundSums(std::function<void()> interrupt) : interrupt_(std::move(interrupt)) {}
  BackgroundSums(const BackgroundSums&) = delete;
  BackgroundSums& operator=(const BackgroundSums&) = delete;
  ~BackgroundSums() {
    {
      const std::lock_guard lock(mutex_);
      ends_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  /// Has `work()` done after all that was started before.
  template <class Work>
  Sum start(Work work) {
    const auto state = std::make_shared<State>();
    state->work = std::move(work);
    {
      const std::lock_guard lock(mutex_);
      if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
      waiting_.push_back(state);
    }
    changed_.notify_all();
    return {this, state};
  }

  /// Until nothing is in progress.
  void finish() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_.empty(); });
  }

 private:
  struct State {
    std::function<void()> work;
    bool done = false;
    std::exception_ptr error;
  };

  void run();

  void abandon(State& state);

  std::function<void()> interrupt_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<State>> waiting_;  // the first is in progress
  bool ends_ = false;
  std::thread thread_;
};

/// A sum that a collective has started, which keeps what it works with.
class StartedSum {
 public:
  StartedSum(std::shared_ptr<const void> keeps, BackgroundSums::Sum sum)
      : keeps_(std::move(keeps)), sum_(std::move(sum)) {}

  /// Until the sum is there. Errors: those of the collective.
  void wait() { sum_.wait(); }

 private:
  std::shared_ptr<const void> keeps_;  // outlives the sum
  BackgroundSums::Sum sum_;
};

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/collective/background_sums.inl"
#endif
