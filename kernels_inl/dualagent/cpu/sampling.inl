#pragma once

#include <cstddef>
#include <cstdint>

#include "dualagent/kernels/sampling.inl"

namespace dualagent::cpu {

/// Draws an index with probability proportional to e[i], i = 0 .. n - 1, by 64 uniform bits: the
/// first whose weights up to itself exceed floor(bits * total / 2^64).
///
/// e are exp(logit - largest logit), one of them 1; see kernels::sampling_weight. An e of 0 is
/// never drawn. Determinism: gpu::sample draws the same from the same logits.
template <class T>
std::size_t sample(std::size_t n, const T* e, std::uint64_t bits) {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < n; ++i) total += kernels::sampling_weight(e[i]);
  const std::uint64_t wanted = kernels::multiply_high(bits, total);
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < n; ++i) {
    below += kernels::sampling_weight(e[i]);
    if (below > wanted) return i;
  }
  return n - 1;  // where all weights are 0
}

}  // namespace dualagent::cpu
