#pragma once

#include "dualagent/cpu/loops.inl"
#include "dualagent/loops/optimizer.inl"

namespace dualagent {

/// Euclidean norm of all gradients, summed in double, on the host in index order; not finite if any
/// of them is not. `gradients` is a view in the memory of `machine` with data() and size().
template <class Machine, class View>
double global_norm(Machine& machine, const View& gradients) {
  return loops::global_norm(machine, gradients.size(), gradients.data());
}

/// Scales gradients of norm `norm` down to `max_norm`; smaller ones stay as they are.
template <class Machine, class View>
void clip_to_norm(Machine& machine, const View& gradients, double norm, double max_norm) {
  loops::clip_to_norm(machine, gradients.size(), gradients.data(), norm, max_norm);
}

}  // namespace dualagent
