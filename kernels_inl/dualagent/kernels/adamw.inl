#pragma once

#include <cmath>

#include "dualagent/kernels/host_device.inl"

namespace dualagent::kernels {

/// What is the same for all parameters in one step of AdamW.
template <class T>
struct AdamWStep {
  T beta1, beta2, epsilon;
  T decay;         ///< 1 - learning rate * weight decay
  T step_size;     ///< learning rate / (1 - beta1^t)
  T second_scale;  ///< 1 / sqrt(1 - beta2^t)
};

/// Updates one parameter and its two moments.
/// Source: Loshchilov and Hutter, "Decoupled weight decay regularization", 2019, algorithm 2.
template <class T>
DUALAGENT_HD inline void adamw(const AdamWStep<T>& step, T gradient, T& parameter, T& first,
                               T& second) {
  first = step.beta1 * first + (T{1} - step.beta1) * gradient;
  second = step.beta2 * second + (T{1} - step.beta2) * gradient * gradient;
  parameter = parameter * step.decay -
              step.step_size * first / (std::sqrt(second) * step.second_scale + step.epsilon);
}

}  // namespace dualagent::kernels
