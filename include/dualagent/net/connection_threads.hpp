#pragma once

/// Needs cpp-httplib, as net/http_connection.hpp.

#include <httplib.h>

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace dualagent {

/// The threads of a server's connections, one each, at most `most`; they are started when they are
/// needed and kept. A connection above that is handed to its function on the caller's thread, with
/// `refused()` true there: it has to be refused quickly, and never waits.
class ConnectionThreads final : public httplib::TaskQueue {
 public:
  explicit ConnectionThreads(std::size_t most) : most_(most) {}

  /// Whether the function that runs on this thread has to refuse its connection.
  static bool refused() { return refused_; }

  // Later versions of cpp-httplib want to know whether it was taken: it always is.
  template <class Result = decltype(std::declval<httplib::TaskQueue&>().enqueue({}))>
  static Result taken() {
    if constexpr (!std::is_void_v<Result>) return true;
  }
  auto enqueue(std::function<void()> work)
      -> decltype(std::declval<httplib::TaskQueue&>().enqueue({})) override {
    {
      const std::lock_guard lock(mutex_);
      if (idle_ > waiting_.size()) {
        waiting_.push_back(std::move(work));
        wake_.notify_one();
        return taken();
      }
      if (threads_.size() < most_) {
        waiting_.push_back(std::move(work));
        threads_.emplace_back([this] { serve(); });
        return taken();
      }
    }
    refused_ = true;
    work();
    refused_ = false;
    return taken();
  }

  /// Returns once all connections have ended.
  void shutdown() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  void serve() {
    std::unique_lock lock(mutex_);
    while (true) {
      ++idle_;
      wake_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
      --idle_;
      if (waiting_.empty()) return;
      const std::function<void()> work = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      work();
      lock.lock();
    }
  }

  inline static thread_local bool refused_ = false;
  std::size_t most_;
  std::mutex mutex_;  // of everything below
  std::condition_variable wake_;
  std::deque<std::function<void()>> waiting_;  // for the threads that are idle
  std::vector<std::thread> threads_;
  std::size_t idle_ = 0;
  bool stopping_ = false;
};

}  // namespace dualagent
