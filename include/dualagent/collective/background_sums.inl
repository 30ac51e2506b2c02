#pragma once

/// Definitions of background_sums.hpp; see core/compiled.hpp.

#include "dualagent/collective/background_sums.hpp"

namespace dualagent {

DUALAGENT_INLINE void BackgroundSums::Sum::wait() {
  std::unique_lock lock(owner_->mutex_);
  owner_->changed_.wait(lock, [&] { return state_->done; });
  if (state_->error) std::rethrow_exception(std::exchange(state_->error, nullptr));
}

DUALAGENT_INLINE void BackgroundSums::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return ends_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    const std::shared_ptr<State> state = waiting_.front();
    lock.unlock();
    std::exception_ptr error;
    try {
      state->work();
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    state->error = error;
    state->done = true;
    waiting_.pop_front();
    changed_.notify_all();
  }
}

DUALAGENT_INLINE void BackgroundSums::abandon(State& state) {
  std::unique_lock lock(mutex_);
  if (state.done) return;
  lock.unlock();
  interrupt_();
  lock.lock();
  changed_.wait(lock, [&] { return state.done; });
}

}  // namespace dualagent
