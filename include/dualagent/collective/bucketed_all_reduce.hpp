#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "dualagent/collective/collective.hpp"

namespace dualagent {

/// Sums a large array over ranks in buckets of `bucket_elements`, so that a collective's scratch
/// memory and messages stay bounded. The result does not depend on the size of the buckets.
template <class C, class T>
void bucketed_all_reduce(C& collective, std::span<T> values,
                         std::size_t bucket_elements = std::size_t{1} << 20) {
  if (collective.size() == 1) return;
  const std::size_t step = std::max<std::size_t>(1, bucket_elements);
  for (std::size_t begin = 0; begin < values.size(); begin += step)
    collective.all_reduce_sum(values.subspan(begin, std::min(step, values.size() - begin)));
}

}  // namespace dualagent
