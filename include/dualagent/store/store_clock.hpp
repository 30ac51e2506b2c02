#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

#include "dualagent/core/check.hpp"

namespace dualagent {

/// Milliseconds since 1970 by which leases run out. Processes that share a store share it: the
/// clock of the machine; a test gives one that it moves by hand.
using StoreClock = std::function<std::int64_t()>;

inline std::int64_t milliseconds_since_1970() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// How long a lease may be, in seconds: at least a tick of the clock.
inline constexpr Bounds kLeaseSeconds{0.001, 1e9};

/// When a lease that is given now runs out.
inline std::int64_t lease_end(std::int64_t now, double seconds) {
  return now + static_cast<std::int64_t>(seconds * 1000.0);
}

}  // namespace dualagent
