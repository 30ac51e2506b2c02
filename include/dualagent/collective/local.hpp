#pragma once

#include <cstddef>

#include "dualagent/collective/collective.hpp"

namespace dualagent {

/// One rank on its own: a sum over ranks is the rank's own value.
struct LocalCollective {
  static constexpr std::size_t rank() { return 0; }
  static constexpr std::size_t size() { return 1; }
  // Of any array: a std::span or a view in a device's memory.
  template <class Array>
  void all_reduce_sum(const Array&) const {}
  template <class Array>
  void reduce_scatter_sum(const Array&) const {}
  template <class Array>
  void all_gather(const Array&) const {}
  template <class Array>
  void broadcast(const Array&, std::size_t) const {}
};
static_assert(ShardingCollective<LocalCollective>);

}  // namespace dualagent
