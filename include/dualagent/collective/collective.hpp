#pragma once

#include <concepts>
#include <cstddef>
#include <span>

namespace dualagent {

/// A group of ranks that add up arrays. A value: a rank's handle to its group.
///
/// Syntactic requirements on a collective c:
/// 1. `c.rank()` in 0 .. size() - 1 and `c.size()` >= 1.
/// 2. `c.all_reduce_sum(span<float>)` and `(span<double>)` replace the array by the sum over ranks.
/// Semantic requirements: all ranks call the same operations in the same order with arrays of one
/// size; every rank gets the same bits, and the same bits in every run with as many ranks.
template <class C>
concept Collective = requires(C& collective, const C& constant, std::span<float> floats,
                              std::span<double> doubles) {
  { constant.rank() } -> std::convertible_to<std::size_t>;
  { constant.size() } -> std::convertible_to<std::size_t>;
  collective.all_reduce_sum(floats);
  collective.all_reduce_sum(doubles);
};

/// One readable sentence if C is no Collective.
template <class C>
consteval bool check_collective() {
  static_assert(
      Collective<C>,
      "dualagent: a Collective needs rank(), size(), all_reduce_sum(std::span<float>) and "
      "all_reduce_sum(std::span<double>); see docs/policies.md#collectives");
  return true;
}

}  // namespace dualagent
