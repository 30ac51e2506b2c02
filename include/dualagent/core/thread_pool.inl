#pragma once

/// Definitions of thread_pool.hpp; see core/compiled.hpp.

#include "dualagent/core/check.hpp"
#include "dualagent/core/thread_pool.hpp"

namespace dualagent {

DUALAGENT_INLINE ThreadPool::ThreadPool(std::size_t threads) {
  require_option(threads, kThreads, "threads", "ThreadPool");
  errors_.resize(threads);
  try {
    for (std::size_t worker = 1; worker < threads; ++worker)
      team_.emplace_back([this, worker] { serve(worker); });
  } catch (const std::exception& error) {
    const std::size_t started = team_.size() + 1;
    end_team();
    throw Error("only " + std::to_string(started) + " of " + std::to_string(threads) +
                    " threads could be started: " + error.what(),
                "ThreadPool", "Ask for as many threads as the machine has cores");
  }
}

DUALAGENT_INLINE void ThreadPool::serve(std::size_t worker) {
  for (std::uint64_t seen = 0;; ++seen) {
    await_round_after(seen);
    if (stop_) return;
    guarded_call(worker);
    if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      const std::lock_guard lock(mutex_);
      wake_caller_.notify_one();
    }
  }
}

DUALAGENT_INLINE void ThreadPool::await_round_after(std::uint64_t seen) {
  for (int spin = 0; spin < kSpins; ++spin) {
    if (round_.load(std::memory_order_acquire) != seen) return;
    pause();
  }
  std::unique_lock lock(mutex_);
  wake_team_.wait(lock, [&] { return round_.load(std::memory_order_acquire) != seen; });
}

DUALAGENT_INLINE void ThreadPool::await_team() {
  for (int spin = 0; spin < kSpins; ++spin) {
    if (unfinished_.load(std::memory_order_acquire) == 0) return;
    pause();
  }
  std::unique_lock lock(mutex_);
  wake_caller_.wait(lock, [&] { return unfinished_.load(std::memory_order_acquire) == 0; });
}

DUALAGENT_INLINE void ThreadPool::rethrow_first_error() {
  std::exception_ptr first;
  for (std::exception_ptr& error : errors_) {
    if (error && !first) first = error;
    error = nullptr;
  }
  if (first) std::rethrow_exception(first);
}

}  // namespace dualagent
