#pragma once

#include <cmath>

#include "dualagent/kernels/combine.inl"
#include "dualagent/kernels/host_device.inl"

namespace dualagent::kernels {

/// (reward - mean) / (standard deviation + epsilon) with the group's moments; exactly 0 where all
/// rewards of the group are equal (MomentsState::all_equal) or there is only one.
/// Source: Shao et al., "DeepSeekMath", 2024, section 4.1.2; unbiased standard deviation.
template <class T>
DUALAGENT_HD constexpr T group_normalized(T reward, const MomentsState<T>& group, T epsilon) {
  if (group.all_equal()) return T{0};
  return (reward - group.mean) / (std::sqrt(group.variance()) + epsilon);
}

/// reward - mean of the group; exactly 0 where all rewards are equal or there is only one.
/// Source: Liu et al., "Understanding R1-Zero-like training", 2025, section 3.2.
template <class T>
DUALAGENT_HD constexpr T group_centered(T reward, const MomentsState<T>& group) {
  return group.all_equal() ? T{0} : reward - group.mean;
}

/// reward - mean of the group's other rewards = n / (n - 1) (reward - mean); 0 in a group of one.
/// Source: Ahmadian et al., "Back to basics", 2024, section 2.2.
template <class T>
DUALAGENT_HD constexpr T leave_one_out(T reward, const MomentsState<T>& group) {
  return group.count > T{1} ? group_centered(reward, group) * (group.count / (group.count - T{1}))
                            : T{0};
}

/// Advantage and value of a token, as the token before it needs them.
template <class T>
struct GaeState {
  T advantage{};
  T value{};  ///< 0 after the last token
};

/// One step backwards of generalised advantage estimation: delta = reward + gamma V' - V,
/// A = delta + gamma lambda A'. Given tokens are passed over: they carry V' and A' unchanged.
/// Source: Schulman et al., "High-dimensional continuous control using generalized advantage
/// estimation", 2016, eq. 16.
template <class T>
DUALAGENT_HD constexpr GaeState<T> gae_step(const GaeState<T>& next, T value, T reward, T gamma,
                                            T lambda) {
  const T delta = reward + gamma * next.value - value;
  return {delta + gamma * lambda * next.advantage, value};
}

}  // namespace dualagent::kernels
