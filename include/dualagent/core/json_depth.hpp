#pragma once

#include <cstddef>

namespace dualagent {

/// Deepest nesting of objects and arrays in any JSON that is read, unless a format has less.
inline constexpr std::size_t kMaxJsonDepth = 64;

}  // namespace dualagent
