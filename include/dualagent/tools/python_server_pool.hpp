#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "dualagent/tools/python_server.hpp"
#include "dualagent/tools/tool.hpp"

namespace dualagent::detail {

/// Python servers that wait for work, kept at a given number by a thread of their own. All are
/// started by that thread, which lives as long as the pool: a sandbox dies with its maker.
template <class S>
class PythonServerPool {
 public:
  PythonServerPool(S sandbox, std::vector<std::string> python, std::size_t size)
      : sandbox_(std::move(sandbox)), python_(std::move(python)), size_(size) {
    keeper_ = std::jthread([this](const std::stop_token& stop) { keep(stop); });
  }

  /// A waiting server; starts one more if all are at work.
  /// Errors: AbortRollout if none can be started.
  std::unique_ptr<PythonServer> take() {
    std::unique_lock lock(mutex_);
    for (;;) {
      ++takers_;
      if (idle_.empty()) wanted_.notify_one();
      ready_.wait(lock, [&] { return !idle_.empty() || !problem_.empty(); });
      --takers_;
      if (idle_.empty()) throw AbortRollout(std::exchange(problem_, {}));
      auto server = std::move(idle_.front());
      idle_.pop_front();
      if (server->waits()) {
        ++at_work_;
        return server;
      }
      ended_.push_back(std::move(server));
      wanted_.notify_one();
    }
  }

  /// Takes a server back; the pool's thread ends it unless it is reusable and wanted.
  void give_back(std::unique_ptr<PythonServer> server) {
    const std::lock_guard lock(mutex_);
    --at_work_;
    if (server->reusable() && at_work_ + idle_.size() < size_) {
      idle_.push_front(std::move(server));  // its memory is in the caches
      ready_.notify_one();
    } else {
      ended_.push_back(std::move(server));
      wanted_.notify_one();
    }
  }

 private:
  bool wants_more() const {
    return takers_ > idle_.size() || (problem_.empty() && idle_.size() + at_work_ < size_);
  }

  void keep(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (wanted_.wait(lock, stop, [&] { return wants_more() || !ended_.empty(); }) &&
           !stop.stop_requested()) {
      auto ended = std::exchange(ended_, {});
      const bool more = wants_more();
      lock.unlock();
      ended.clear();
      std::string problem;
      std::unique_ptr<PythonServer> server = more ? start(problem) : nullptr;
      lock.lock();
      if (!more) continue;
      if (server != nullptr) idle_.push_back(std::move(server));
      problem_ = std::move(problem);
      ready_.notify_all();
    }
  }

  std::unique_ptr<PythonServer> start(std::string& problem) const {
    try {
      return std::make_unique<PythonServer>(sandbox_, python_);
    } catch (const std::exception& error) {
      problem = error.what();
      return nullptr;
    }
  }

  S sandbox_;
  std::vector<std::string> python_;
  std::size_t size_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::condition_variable_any wanted_;
  std::deque<std::unique_ptr<PythonServer>> idle_;
  std::vector<std::unique_ptr<PythonServer>> ended_;
  std::size_t takers_ = 0;
  std::size_t at_work_ = 0;
  std::string problem_;
  std::jthread keeper_;  // last: ends before what it uses
};

}  // namespace dualagent::detail
