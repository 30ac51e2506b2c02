#pragma once

#include <cstddef>
#include <span>

#include "dualagent/cpu/loops.inl"
#include "dualagent/loops/optimizer.inl"

namespace dualagent {

/// Euclidean norm of all gradients, summed in double in index order; not finite if any of them is
/// not.
template <class Scalar>
double global_norm(std::span<const Scalar> gradients) {
  cpu::Loops machine;
  return loops::global_norm(machine, gradients.size(), gradients.data());
}

/// Scales gradients of norm `norm` down to `max_norm`; smaller ones stay as they are.
template <class Scalar>
void clip_to_norm(std::span<Scalar> gradients, double norm, double max_norm) {
  cpu::Loops machine;
  loops::clip_to_norm(machine, gradients.size(), gradients.data(), norm, max_norm);
}

}  // namespace dualagent
