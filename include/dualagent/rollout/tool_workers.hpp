#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/warning.hpp"
#include "dualagent/rollout/completion_queue.hpp"

namespace dualagent {

/// Threads that run jobs in the order of submission and post to a CompletionQueue which ones are
/// done, or are not done by their deadline.
///
/// A job writes its result where only it writes; the results of a finished job may be read after it
/// was taken from the queue. A job that misses its deadline is posted as expired, is asked to stop
/// by its token, and is never posted again; another thread takes the place of its own. No thread
/// can be ended from outside: a job that does not stop goes on in a thread of its own until it
/// returns or the process ends, so a job must own all that it uses.
/// Where no thread can be started for another's place, jobs share those that are left.
/// Errors: a throwing job is posted with its exception.
class ToolWorkers {
 public:
  using Job = std::function<void(const std::stop_token& cancel)>;
  enum class Outcome : std::uint8_t { done, threw, expired };
  struct Finished {
    std::size_t id = 0;
    Outcome outcome = Outcome::done;
    std::exception_ptr error = {};  ///< of a job that threw
  };

  using Completions = CompletionQueue<Finished>;
  using Clock = Completions::Clock;
  /// Starts a thread that calls the given function; throws where the system starts none.
  using StartThread = std::function<std::thread(std::function<void()>)>;

  /// Every job may take `deadline_seconds` from its beginning on, infinity: as long as it wants.
  /// `start_thread` is for tests. Errors: Error if the system starts no more threads.
  explicit ToolWorkers(
      std::shared_ptr<Completions> completions, std::size_t threads,
      double deadline_seconds = std::numeric_limits<double>::infinity(),
      StartThread start_thread = [](std::function<void()> run) {
        return std::thread(std::move(run));
      });
  ToolWorkers(const ToolWorkers&) = delete;
  ToolWorkers& operator=(const ToolWorkers&) = delete;
  /// Drops jobs that have not begun and asks running ones to stop. Those that have not stopped
  /// after a second are left behind.
  ~ToolWorkers() { end(); }

  void submit(std::size_t id, Job job);

  /// Posts the jobs whose deadline has passed as expired; returns when the next deadline is, if
  /// there is one. A job that begins wakes the queue, because it may bring a nearer deadline: a
  /// loop of `take(..., Wait::for_one, workers.expire_late())` misses none.
  /// Errors: Error where late jobs have taken all threads and no other can be started.
  std::optional<Clock::time_point> expire_late();

 private:
  void end();

  struct Submitted {
    std::size_t id = 0;
    Job run;
  };
  /// What one thread is doing. `left`: its job was late, and nobody waits for it any more.
  struct Seat {
    bool busy = false;
    bool left = false;
    std::size_t id = 0;
    std::optional<Clock::time_point> deadline;
    std::stop_source cancel;
  };
  /// Outlives these workers for as long as a thread is left behind.
  struct Shared {
    explicit Shared(std::shared_ptr<Completions> completions_)
        : completions(std::move(completions_)) {}
    std::shared_ptr<Completions> completions;
    std::mutex mutex;
    std::condition_variable work;
    std::condition_variable idle;  // a job ended
    std::deque<Submitted> queue;
    bool stop = false;
  };
  struct Worker {
    std::shared_ptr<Seat> seat;
    std::thread thread;
  };

  void start_missing_workers();

  void replace_left_workers();

  static void leave(Worker& worker) {
    worker.seat->left = true;
    worker.thread.detach();
  }

  /// Leaves the threads whose jobs are late; returns what asks these to stop.
  std::vector<std::stop_source> leave_late_jobs(Clock::time_point now);

  std::optional<Clock::time_point> next_deadline() const;

  static std::optional<Clock::time_point> deadline_after(double seconds);

  static void serve(std::shared_ptr<Shared> shared, std::shared_ptr<Seat> seat,
                    double deadline_seconds);

  std::size_t threads_;
  double deadline_seconds_;
  StartThread start_thread_;
  std::shared_ptr<Shared> shared_;
  std::vector<Worker> workers_;
  bool warned_ = false;  // of fewer threads
};

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/rollout/tool_workers.inl"
#endif
