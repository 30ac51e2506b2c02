#pragma once

#include <signal.h>

#include <atomic>

#include "dualagent/core/compiled.hpp"

namespace dualagent {

namespace detail {
inline std::atomic<bool> stop_requested{false};  // a signal may come on any thread
static_assert(std::atomic<bool>::is_always_lock_free);
/// The second signal ends the process as it would have without us.
void request_stop(int signal);
}  // namespace detail

/// While it lives, Ctrl-C (SIGINT) and SIGTERM do not end the process: they are noted, and
/// whoever works looks at `requested()` where it can stop. A second one ends the process.
///
/// Scopes may be nested: the outermost one forgets earlier requests when it begins and gives the
/// signals back when it ends. Interrupted system calls go on. Made and destroyed by one thread.
/// Example: const StopSignals signals;
///          while (!StopSignals::requested()) work();
class StopSignals {
 public:
  StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  ~StopSignals();

  /// Whether one of the signals came since the outermost scope began.
  static bool requested() { return detail::stop_requested; }

 private:
  inline static int scopes_ = 0;
  inline static struct sigaction interrupt_before_ {};  // of the outermost scope
  inline static struct sigaction terminate_before_ {};
};

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/core/stop_signals.inl"
#endif
