#pragma once

#include "dualagent/kernels/host_device.inl"

namespace dualagent::kernels {

/// Whether a token is trained: a weight of 0 means masked.
DUALAGENT_HD constexpr bool is_trained(float loss_weight) { return loss_weight != 0.0F; }

/// weight * value; exactly 0 for a masked token, even where the value is NaN or infinite.
/// Example: weighted(0.0F, NAN) == 0
template <class T>
DUALAGENT_HD constexpr T weighted(float loss_weight, T value) {
  return is_trained(loss_weight) ? static_cast<T>(loss_weight) * value : T{0};
}

/// Numbers of trained things in a minibatch, over all ranks, and in the token's own surroundings.
/// Trained is what the view selects, whatever its advantage.
struct TokenCounts {
  double tokens = 0;          ///< trained tokens of the minibatch
  double rollouts = 0;        ///< rollouts with a trained token
  double segments = 0;        ///< segments with a trained token
  double rollout_tokens = 0;  ///< trained tokens of this token's rollout
  double segment_tokens = 0;  ///< trained tokens of this token's segment
};

}  // namespace dualagent::kernels
