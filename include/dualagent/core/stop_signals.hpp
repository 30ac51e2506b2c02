#pragma once

#include <signal.h>

#include <atomic>

namespace dualagent {

namespace detail {
inline std::atomic<bool> stop_requested{false};  // a signal may come on any thread
static_assert(std::atomic<bool>::is_always_lock_free);
/// The second signal ends the process as it would have without us.
inline void request_stop(int signal) {
  if (!stop_requested.exchange(true)) return;
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}
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
  StopSignals() {
    if (scopes_++ > 0) return;
    detail::stop_requested = false;
    struct sigaction action {};
    action.sa_handler = detail::request_stop;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    ::sigaction(SIGINT, &action, &interrupt_before_);
    ::sigaction(SIGTERM, &action, &terminate_before_);
  }
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  ~StopSignals() {
    if (--scopes_ > 0) return;
    ::sigaction(SIGINT, &interrupt_before_, nullptr);
    ::sigaction(SIGTERM, &terminate_before_, nullptr);
  }

  /// Whether one of the signals came since the outermost scope began.
  static bool requested() { return detail::stop_requested; }

 private:
  inline static int scopes_ = 0;
  inline static struct sigaction interrupt_before_ {};  // of the outermost scope
  inline static struct sigaction terminate_before_ {};
};

}  // namespace dualagent
