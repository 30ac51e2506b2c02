#pragma once

/// Needs cpp-httplib, as net/http_connection.hpp.

#include <httplib.h>

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace dualagent {

/// The threads of a server's connections, one each, at most `most`; they are started when they are
/// needed and kept. A connection above that, or for which the system starts no thread, is handed to
/// its function on the caller's thread, with `refused()` true there: it has to be refused quickly,
/// and never waits. What a function throws ends with its connection.
class ConnectionThreads final : public httplib::TaskQueue {
 public:
  /// Starts a thread; throws std::system_error where it cannot.
  using Start = std::function<std::thread(std::function<void()>)>;

  explicit ConnectionThreads(
      std::size_t most,
      Start start = [](std::function<void()> serve) { return std::thread(std::move(serve)); })
      : most_(most), start_(std::move(start)) {}

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
      if (threads_.size() < most_ && has_one_more()) {
        waiting_.push_back(std::move(work));
        return taken();
      }
    }
    refused_ = true;
    call(work);
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
  bool has_one_more() {
    try {
      threads_.push_back(start_([this] { serve(); }));  // waits for the mutex
      return true;
    } catch (const std::exception&) {  // EAGAIN: a limit of the container or of the user
      return false;
    }
  }

  static void call(const std::function<void()>& work) {
    try {
      work();
    } catch (...) {  // of one connection, which is closed: the others are served
    }
  }

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
      call(work);
      lock.lock();
    }
  }

  inline static thread_local bool refused_ = false;
  std::size_t most_;
  Start start_;
  std::mutex mutex_;  // of everything below
  std::condition_variable wake_;
  std::deque<std::function<void()>> waiting_;  // for the threads that are idle
  std::vector<std::thread> threads_;
  std::size_t idle_ = 0;
  bool stopping_ = false;
};

}  // namespace dualagent
