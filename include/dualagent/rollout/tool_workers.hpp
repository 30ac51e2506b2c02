#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

namespace dualagent {

/// Threads that run jobs in the order of submission and hand back which ones are done.
///
/// A job writes its result where only it writes; the results of a finished job may be read after
/// `take_finished` has returned it. Errors: a throwing job is returned with its exception.
class ToolWorkers {
 public:
  struct Finished {
    std::size_t id = 0;
    std::exception_ptr error;
  };

  explicit ToolWorkers(std::size_t threads) {
    for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { serve(); });
  }
  ToolWorkers(const ToolWorkers&) = delete;
  ToolWorkers& operator=(const ToolWorkers&) = delete;
  /// Asks running jobs to stop and waits for them; jobs that have not begun are dropped.
  ~ToolWorkers() {
    cancel_.request_stop();
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
      queue_.clear();
    }
    work_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  /// Asked to stop when these workers end.
  std::stop_token cancel() const { return cancel_.get_token(); }

  void submit(std::size_t id, std::function<void()> job) {
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back({id, std::move(job)});
    }
    work_.notify_one();
  }

  enum class Wait { no, for_one };

  /// Moves what has finished since the last call into `finished`; with Wait::for_one blocks until
  /// there is something. Waiting with nothing submitted would block for ever.
  void take_finished(std::vector<Finished>& finished, Wait wait) {
    finished.clear();
    std::unique_lock lock(mutex_);
    if (wait == Wait::for_one) done_.wait(lock, [&] { return !finished_.empty(); });
    finished.swap(finished_);
  }

 private:
  struct Job {
    std::size_t id;
    std::function<void()> run;
  };

  void serve() {
    for (;;) {
      std::unique_lock lock(mutex_);
      work_.wait(lock, [&] { return stop_ || !queue_.empty(); });
      if (stop_) return;
      Job job = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      Finished finished{job.id, nullptr};
      try {
        job.run();
      } catch (...) {
        finished.error = std::current_exception();
      }
      lock.lock();
      finished_.push_back(std::move(finished));
      lock.unlock();
      done_.notify_one();
    }
  }

  std::stop_source cancel_;
  std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable done_;
  std::deque<Job> queue_;
  std::vector<Finished> finished_;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace dualagent
