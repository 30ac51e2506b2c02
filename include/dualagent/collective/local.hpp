#pragma once

#include <cstddef>
#include <span>

#include "dualagent/collective/collective.hpp"

namespace dualagent {

/// One rank on its own: a sum over ranks is the rank's own value.
struct LocalCollective {
  static constexpr std::size_t rank() { return 0; }
  static constexpr std::size_t size() { return 1; }
  template <class T>
  void all_reduce_sum(std::span<T>) const {}
  template <class T>
  void reduce_scatter_sum(std::span<T>) const {}
  template <class T>
  void all_gather(std::span<T>) const {}
  template <class T>
  void broadcast(std::span<T>, std::size_t) const {}
};
static_assert(ShardingCollective<LocalCollective>);

}  // namespace dualagent
