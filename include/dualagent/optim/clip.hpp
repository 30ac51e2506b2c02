#pragma once

#include <cmath>
#include <cstddef>
#include <span>

#include "dualagent/cpu/loops.inl"
#include "dualagent/kernels/combine.inl"

namespace dualagent {

/// Euclidean norm of all gradients, summed in double in index order; not finite if any of them is
/// not.
template <class Scalar>
double global_norm(std::span<const Scalar> gradients) {
  return std::sqrt(cpu::map_reduce(gradients.size(), kernels::Sum<double>{}, [&](std::size_t i) {
    const auto g = static_cast<double>(gradients[i]);
    return g * g;
  }));
}

/// Scales gradients of norm `norm` down to `max_norm`; smaller ones stay as they are.
/// Source: Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural networks",
/// 2013, algorithm 1.
template <class Scalar>
void clip_to_norm(std::span<Scalar> gradients, double norm, double max_norm) {
  if (!(norm > max_norm)) return;
  const auto factor = static_cast<Scalar>(max_norm / norm);
  for (Scalar& gradient : gradients) gradient *= factor;
}

}  // namespace dualagent
