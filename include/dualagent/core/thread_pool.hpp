#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"

namespace dualagent {

/// A fixed team of threads that runs one function on every worker at a time.
///
/// The caller is worker 0. Waiting threads spin for a bounded time and then sleep, so that short
/// steps start at once and an idle or overloaded machine is left alone.
/// Determinism: which worker runs which index is fixed (`run`) or irrelevant to the result
/// (callers write to disjoint places); nothing is reduced in arrival order.
/// Errors: an exception of any worker is rethrown in the caller, the lowest worker's first.
/// Not reentrant: the function must not call the same pool.
class ThreadPool {
 public:
  /// `threads` workers, the caller included. Errors: Error for 0 and above 65536, and if the system
  /// starts no more threads.
  explicit ThreadPool(std::size_t threads = 1);
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool() { end_team(); }

  std::size_t size() const { return errors_.size(); }

  /// Calls `body(worker)` once on each worker, worker = 0 .. size() - 1, and waits for all.
  template <class Body>
  void run(Body&& body) {
    if (team_.empty()) {
      body(std::size_t{0});
      return;
    }
    using Callable = std::remove_reference_t<Body>;
    context_ = const_cast<void*>(static_cast<const void*>(std::addressof(body)));
    call_ = [](void* context, std::size_t worker) { (*static_cast<Callable*>(context))(worker); };
    unfinished_.store(team_.size(), std::memory_order_relaxed);
    start_next_round();
    guarded_call(0);
    await_team();
    rethrow_first_error();
  }

  /// Calls `body(index)` for index = 0 .. count - 1; worker w takes w, w + size(), ...
  template <class Body>
  void for_each(std::size_t count, Body&& body) {
    run([&](std::size_t worker) {
      for (std::size_t index = worker; index < count; index += size()) body(index);
    });
  }

  /// Calls `body(worker, index)` for index = 0 .. count - 1; whoever is free takes the next one, so
  /// that a slowed worker does not hold up the others. What is computed must not depend on the
  /// worker, which names scratch memory only.
  template <class Body>
  void for_each_dynamic(std::size_t count, Body&& body) {
    if (count == 1) {  // not worth a round
      body(std::size_t{0}, std::size_t{0});
      return;
    }
    std::atomic<std::size_t> next{0};
    run([&](std::size_t worker) {
      for (std::size_t index = next++; index < count; index = next++) body(worker, index);
    });
  }

 private:
  void end_team() {
    if (team_.empty()) return;
    stop_ = true;
    start_next_round();
    for (std::thread& thread : team_) thread.join();
  }

  static constexpr int kSpins = 4000;  // about 20-100 microseconds of pause instructions

  static void pause() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
  }

  void start_next_round() {
    {
      const std::lock_guard lock(mutex_);
      round_.fetch_add(1, std::memory_order_release);
    }
    wake_team_.notify_all();
  }

  void serve(std::size_t worker);

  void await_round_after(std::uint64_t seen);

  void await_team();

  void guarded_call(std::size_t worker) {
    try {
      call_(context_, worker);
    } catch (...) {
      errors_[worker] = std::current_exception();
    }
  }

  void rethrow_first_error();

  std::vector<std::thread> team_;
  std::vector<std::exception_ptr> errors_;  // one per worker
  void* context_ = nullptr;
  void (*call_)(void*, std::size_t) = nullptr;
  std::atomic<std::uint64_t> round_{0};
  std::atomic<std::size_t> unfinished_{0};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::condition_variable wake_team_;
  std::condition_variable wake_caller_;
};

namespace detail {

/// A team of one: the caller. Stands where a ThreadPool could.
struct SerialExecutor {
  static constexpr std::size_t size() { return 1; }
  template <class Body>
  void for_each_dynamic(std::size_t count, Body&& body) const {
    for (std::size_t index = 0; index < count; ++index) body(std::size_t{0}, index);
  }
};

/// Cuts 0 .. count - 1 into contiguous shares that begin at multiples of `unit`, some for each
/// member of a team (ThreadPool or SerialExecutor), and calls `body(first, size)` for each. What is
/// computed must not depend on the shares.
template <class Team, class Body>
void for_each_share(Team& team, std::size_t count, std::size_t unit, Body&& body) {
  const std::size_t units = (count + unit - 1) / unit;
  const std::size_t shares = std::min(units, team.size() == 1 ? 1 : 2 * team.size());
  team.for_each_dynamic(shares, [&](std::size_t, std::size_t share) {
    const std::size_t first = units * share / shares * unit;
    body(first, std::min(count, units * (share + 1) / shares * unit) - first);
  });
}

}  // namespace detail

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/core/thread_pool.inl"
#endif
