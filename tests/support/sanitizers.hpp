#pragma once

#include <cstddef>

/// Which sanitizer the tests are compiled with, under g++ and clang++ alike: the one says it by
/// macros, the other by __has_feature.

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define DUALAGENT_UNDER_ADDRESS_SANITIZER 1
#else
#define DUALAGENT_UNDER_ADDRESS_SANITIZER 0
#endif

#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define DUALAGENT_UNDER_THREAD_SANITIZER 1
#else
#define DUALAGENT_UNDER_THREAD_SANITIZER 0
#endif

/// How many cases a test draws at random, or how long a hostile text is: a tenth under these
/// sanitizers, where each takes ten times as long. The same cases come first, and without a
/// sanitizer all are run.
inline constexpr std::size_t random_cases(std::size_t count) {
  return DUALAGENT_UNDER_ADDRESS_SANITIZER || DUALAGENT_UNDER_THREAD_SANITIZER ? (count + 9) / 10
                                                                               : count;
}
