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
      StartThread start_thread =
          [](std::function<void()> run) { return std::thread(std::move(run)); })
      : threads_(threads),
        deadline_seconds_(deadline_seconds),
        start_thread_(std::move(start_thread)),
        shared_(std::make_shared<Shared>(std::move(completions))) {
    workers_.reserve(threads);
    try {
      start_missing_workers();
    } catch (const std::exception& error) {
      const std::size_t started = workers_.size();
      end();
      throw Error("only " + std::to_string(started) + " of " + std::to_string(threads) +
                      " threads could be started: " + error.what(),
                  "SchedulerOptions::tool_threads", "Ask for fewer threads");
    }
  }
  ToolWorkers(const ToolWorkers&) = delete;
  ToolWorkers& operator=(const ToolWorkers&) = delete;
  /// Drops jobs that have not begun and asks running ones to stop. Those that have not stopped
  /// after a second are left behind.
  ~ToolWorkers() { end(); }

  void submit(std::size_t id, Job job) {
    {
      const std::lock_guard lock(shared_->mutex);
      shared_->queue.push_back({id, std::move(job)});
    }
    shared_->work.notify_one();
  }

  /// Posts the jobs whose deadline has passed as expired; returns when the next deadline is, if
  /// there is one. A job that begins wakes the queue, because it may bring a nearer deadline: a
  /// loop of `take(..., Wait::for_one, workers.expire_late())` misses none.
  /// Errors: Error where late jobs have taken all threads and no other can be started.
  std::optional<Clock::time_point> expire_late() {
    std::unique_lock lock(shared_->mutex);
    std::vector<std::stop_source> late = leave_late_jobs(Clock::now());
    lock.unlock();  // stop callbacks may do anything
    for (std::stop_source& source : late) source.request_stop();
    replace_left_workers();
    lock.lock();
    return next_deadline();
  }

 private:
  void end() {
    std::unique_lock lock(shared_->mutex);
    shared_->stop = true;
    std::deque<Submitted> dropped = std::exchange(shared_->queue, {});
    std::vector<std::stop_source> running;
    for (const Worker& worker : workers_)
      if (worker.seat->busy) running.push_back(worker.seat->cancel);
    lock.unlock();  // jobs' destructors and stop callbacks may do anything
    shared_->work.notify_all();
    dropped.clear();
    for (std::stop_source& source : running) source.request_stop();
    lock.lock();
    shared_->idle.wait_for(lock, std::chrono::seconds(1), [&] {
      return std::none_of(workers_.begin(), workers_.end(),
                          [](const Worker& worker) { return worker.seat->busy; });
    });
    std::vector<std::thread> idle;
    for (Worker& worker : workers_) {
      if (worker.seat->busy)
        leave(worker);
      else
        idle.push_back(std::move(worker.thread));
    }
    lock.unlock();
    for (std::thread& thread : idle) thread.join();
  }

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

  void start_missing_workers() {
    while (workers_.size() < threads_) {
      Worker worker{std::make_shared<Seat>(), {}};
      worker.thread =
          start_thread_([shared = shared_, seat = worker.seat, seconds = deadline_seconds_] {
            serve(shared, seat, seconds);
          });
      workers_.push_back(std::move(worker));
    }
  }

  void replace_left_workers() {
    try {
      start_missing_workers();
    } catch (const std::exception& error) {
      const std::string problem =
          std::string("no thread could be started for that of a tool that missed its deadline: ") +
          error.what();
      if (workers_.empty())
        throw Error(problem, "SchedulerOptions::tool_threads",
                    "Let tools end when their CallInfo::cancel asks them to");
      if (!std::exchange(warned_, true))
        warn(problem + "; tools go on with " + std::to_string(workers_.size()) + " of " +
             std::to_string(threads_) + " threads");
    }
  }

  static void leave(Worker& worker) {
    worker.seat->left = true;
    worker.thread.detach();
  }

  /// Leaves the threads whose jobs are late; returns what asks these to stop.
  std::vector<std::stop_source> leave_late_jobs(Clock::time_point now) {
    std::vector<std::stop_source> late;
    std::erase_if(workers_, [&](Worker& worker) {
      if (!worker.seat->busy || !worker.seat->deadline || now < *worker.seat->deadline)
        return false;
      late.push_back(worker.seat->cancel);
      shared_->completions->post({worker.seat->id, Outcome::expired});
      leave(worker);
      return true;
    });
    return late;
  }

  std::optional<Clock::time_point> next_deadline() const {
    std::optional<Clock::time_point> next;
    for (const Worker& worker : workers_)
      if (worker.seat->busy && worker.seat->deadline && (!next || *worker.seat->deadline < *next))
        next = worker.seat->deadline;
    return next;
  }

  static std::optional<Clock::time_point> deadline_after(double seconds) {
    constexpr double kLongest = 1e9;  // seconds that the clock can be moved by
    if (!(seconds < kLongest)) return std::nullopt;
    return Clock::now() +
           std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  }

  static void serve(std::shared_ptr<Shared> shared, std::shared_ptr<Seat> seat,
                    double deadline_seconds) {
    std::unique_lock lock(shared->mutex);
    for (;;) {
      shared->work.wait(lock, [&] { return shared->stop || !shared->queue.empty(); });
      if (shared->stop) return;
      Submitted job = std::move(shared->queue.front());
      shared->queue.pop_front();
      seat->busy = true;
      seat->id = job.id;
      seat->cancel = std::stop_source();
      seat->deadline = deadline_after(deadline_seconds);
      const std::stop_token cancel = seat->cancel.get_token();
      if (seat->deadline) shared->completions->wake();  // who waits has one more deadline
      lock.unlock();
      Finished finished{job.id};
      try {
        job.run(cancel);
      } catch (...) {
        finished = {job.id, Outcome::threw, std::current_exception()};
      }
      job.run = {};  // what it owns, before it counts as done
      lock.lock();
      if (seat->left) return;
      seat->busy = false;
      shared->completions->post(std::move(finished));
      shared->idle.notify_all();
    }
  }

  std::size_t threads_;
  double deadline_seconds_;
  StartThread start_thread_;
  std::shared_ptr<Shared> shared_;
  std::vector<Worker> workers_;
  bool warned_ = false;  // of fewer threads
};

}  // namespace dualagent
