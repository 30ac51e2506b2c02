#pragma once

#include <chrono>
#include <string>
#include <thread>

#include "support/catch.hpp"

/// When a test that waits for another thread gives up: broken code fails it then, and does not hang
/// it. Far more than any wait takes.
inline std::chrono::steady_clock::time_point end_of_patience() {
  return std::chrono::steady_clock::now() + std::chrono::minutes(2);
}

/// Waits until `done()`; fails the test where that does not come. On the test's own thread.
template <class Done>
void wait_for(const std::string& what, const Done& done) {
  const auto end = end_of_patience();
  while (!done()) {
    if (std::chrono::steady_clock::now() >= end) FAIL("two minutes have passed without " << what);
    std::this_thread::yield();
  }
}
