#pragma once

#include <cstddef>

#include "dualagent/kernels/host_device.inl"

namespace dualagent::kernels {

/// The segment s with begin[s] <= i < begin[s + 1], among S >= 1 that follow one another; empty
/// ones are passed over. Time: log S. Shapes: begin [S + 1], begin[0] <= i < begin[S]. Example:
/// segments {0, 2, 2, 5}: 1 lies in segment 0, 2 in segment 2.
DUALAGENT_HD constexpr std::size_t segment_of(std::size_t segments, const std::size_t* begin,
                                              std::size_t i) {
  std::size_t low = 0, high = segments;  // begin[low] <= i < begin[high]
  while (high - low > 1) {
    const std::size_t middle = low + (high - low) / 2;
    (begin[middle] <= i ? low : high) = middle;
  }
  return low;
}

/// Sum and number of the values that count, and their mean.
template <class T>
struct MeanState {
  T sum;
  T count;
  /// 0 where nothing counts.
  DUALAGENT_HD constexpr T mean() const { return count > T{0} ? sum / count : T{0}; }
};

/// Adds up the values that count.
template <class T>
struct Mean {
  using State = MeanState<T>;
  DUALAGENT_HD static constexpr State identity() { return {T{0}, T{0}}; }
  DUALAGENT_HD static constexpr State of(T x) { return {x, T{1}}; }
  DUALAGENT_HD constexpr State operator()(State a, State b) const {
    return {a.sum + b.sum, a.count + b.count};
  }
};

}  // namespace dualagent::kernels
