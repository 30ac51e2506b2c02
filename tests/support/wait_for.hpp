#pragma once

#include <chrono>
#include <concepts>
#include <condition_variable>
#include <cstddef>
#include <future>
#include <mutex>
#include <string>
#include <thread>

#include "support/catch.hpp"

/// When a test that waits for another thread gives up: broken code fails it then, and does not hang
/// it. Far more than any wait takes.
inline std::chrono::steady_clock::time_point end_of_patience() {
  return std::chrono::steady_clock::now() + std::chrono::minutes(2);
}

/// Waits until `done()`; fails the test where that does not come. On the test's own thread.
template <std::predicate Done>
void wait_for(const std::string& what, const Done& done) {
  const auto end = end_of_patience();
  while (!done()) {
    if (std::chrono::steady_clock::now() >= end) FAIL("two minutes have passed without " << what);
    std::this_thread::yield();
  }
}

/// The same for a future.
template <class Future>
requires requires(const Future& future) { future.wait_until(end_of_patience()); }
void wait_for(const std::string& what, const Future& future) {
  if (future.wait_until(end_of_patience()) != std::future_status::ready)
    FAIL("two minutes have passed without " << what);
}

/// Lets nobody pass before `count` threads are there, again and again, as std::barrier does; but
/// after two minutes it lets pass who is there.
class Together {
 public:
  explicit Together(std::size_t count) : count_(count) {}

  /// Whether all came. On any thread.
  bool arrive_and_wait() {
    std::unique_lock lock(mutex_);
    const std::size_t whole = (arrived_ / count_ + 1) * count_;
    ++arrived_;
    all_here_.notify_all();
    return all_here_.wait_until(lock, end_of_patience(), [&] { return arrived_ >= whole; });
  }

 private:
  std::size_t count_;
  std::size_t arrived_ = 0;
  std::mutex mutex_;
  std::condition_variable all_here_;
};
