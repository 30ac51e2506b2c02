#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace dualagent {

/// Where whatever happens elsewhere (tools on worker threads, models in other processes) meets the
/// one thread that waits for it.
///
/// A thread that waits sleeps: it uses no CPU until something is posted, it is woken, or its time
/// is over. `post` and `wake` may be called from any thread, `take` from one thread at a time.
/// Completions come in the order in which they were posted, which depends on time: what is made of
/// them must not depend on it.
template <class Completion>
class CompletionQueue {
 public:
  using Clock = std::chrono::steady_clock;
  enum class Wait : std::uint8_t { no, for_one };

  void post(Completion completion) {
    {
      const std::lock_guard lock(mutex_);
      posted_.push_back(std::move(completion));
    }
    changed_.notify_one();
  }

  /// Ends the `take` that waits now, or else the next one that would wait, with what there is:
  /// there is something to look at other than a completion.
  void wake() {
    {
      const std::lock_guard lock(mutex_);
      woken_ = true;
    }
    changed_.notify_one();
  }

  /// Moves all completions so far into `completions`, which loses what it held. Wait::for_one
  /// sleeps until there is one, until `wake`, or until `deadline`.
  void take(std::vector<Completion>& completions, Wait wait,
            std::optional<Clock::time_point> deadline = {}) {
    completions.clear();
    std::unique_lock lock(mutex_);
    const auto has_news = [&] { return woken_ || !posted_.empty(); };
    if (wait == Wait::for_one) {
      if (deadline)
        changed_.wait_until(lock, *deadline, has_news);
      else
        changed_.wait(lock, has_news);
    }
    woken_ = false;
    completions.swap(posted_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Completion> posted_;
  bool woken_ = false;
};

}  // namespace dualagent
