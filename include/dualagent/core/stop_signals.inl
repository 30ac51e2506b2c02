#pragma once

/// Definitions of stop_signals.hpp; see core/compiled.hpp.

#include "dualagent/core/stop_signals.hpp"

namespace dualagent::detail {

DUALAGENT_INLINE void request_stop(int signal) {
  if (!stop_requested.exchange(true)) return;
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE StopSignals::StopSignals() {
  if (scopes_++ > 0) return;
  detail::stop_requested = false;
  struct sigaction action {};
  action.sa_handler = detail::request_stop;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, &interrupt_before_);
  ::sigaction(SIGTERM, &action, &terminate_before_);
}

DUALAGENT_INLINE StopSignals::~StopSignals() {
  if (--scopes_ > 0) return;
  ::sigaction(SIGINT, &interrupt_before_, nullptr);
  ::sigaction(SIGTERM, &terminate_before_, nullptr);
}

}  // namespace dualagent
