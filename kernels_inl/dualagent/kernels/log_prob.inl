#pragma once

#include "dualagent/kernels/host_device.inl"

namespace dualagent::kernels {

/// Gradient of a loss with respect to one logit, through log-softmax and entropy.
///
/// For logits z (already divided by the temperature), p = softmax(z), a target and a loss L(log p
/// of the target, entropy H of p):
///   dL/dz_v = dL/dlog_prob (1[v = target] - p_v) - dL/dH p_v (log p_v + H).
/// Shapes: scalars. `log_p` may be -infinity where p is 0; the result is then exact (0 or the
/// target's share).
template <class T>
DUALAGENT_HD constexpr T logit_gradient(T p, T log_p, T entropy, bool is_target, T d_log_prob,
                                        T d_entropy) {
  const T spread = p == T{0} ? T{0} : p * (d_log_prob + d_entropy * (log_p + entropy));
  return (is_target ? d_log_prob : T{0}) - spread;
}

}  // namespace dualagent::kernels
