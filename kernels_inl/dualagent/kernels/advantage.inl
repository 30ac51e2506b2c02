#pragma once

#include <cmath>

#include "dualagent/kernels/combine.inl"
#include "dualagent/kernels/host_device.inl"

namespace dualagent::kernels {

/// (reward - mean) / (standard deviation + epsilon) with the group's moments; exactly 0 where all
/// rewards of the group are equal or there is only one.
/// Source: Shao et al., "DeepSeekMath", 2024, section 4.1.2; unbiased standard deviation.
template <class T>
DUALAGENT_HD constexpr T group_normalized(T reward, const MomentsState<T>& group, T epsilon) {
  if (!(group.squares > T{0})) return T{0};
  return (reward - group.mean) / (std::sqrt(group.variance()) + epsilon);
}

}  // namespace dualagent::kernels
