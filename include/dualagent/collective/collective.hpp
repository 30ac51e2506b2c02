#pragma once

#include <concepts>
#include <cstddef>
#include <span>
#include <string>

#include "dualagent/core/error.hpp"

namespace dualagent {

/// A group of ranks that add up arrays. A value: a rank's handle to its group.
///
/// Syntactic requirements on a collective c:
/// 1. `c.rank()` in 0 .. size() - 1 and `c.size()` >= 1.
/// 2. `c.all_reduce_sum(span<float>)` and `(span<double>)` replace the array by the sum over ranks.
/// Semantic requirements: all ranks call the same operations in the same order with arrays of one
/// size; every rank gets the same bits, and the same bits in every run with as many ranks.
/// Optional, for spans of float and double: `c.start_all_reduce_sum(values)` and
/// `c.start_reduce_sum(values, root)`, which gives the sum to rank `root` alone, return at once a
/// handle whose `wait()` returns when the sum is there. All ranks start the same sums in the same
/// order, and nothing else before they have waited. Sums may be started from any thread, one call
/// at a time. A trainer then sums gradients while a backward pass goes on.
template <class C>
concept Collective = requires(C& collective, const C& constant, std::span<float> floats,
                              std::span<double> doubles) {
  { constant.rank() } -> std::convertible_to<std::size_t>;
  { constant.size() } -> std::convertible_to<std::size_t>;
  collective.all_reduce_sum(floats);
  collective.all_reduce_sum(doubles);
};

/// A part [begin, end) of a flat array.
struct Shard {
  std::size_t begin = 0;
  std::size_t end = 0;
  constexpr std::size_t size() const { return end - begin; }
  friend constexpr bool operator==(const Shard&, const Shard&) = default;
};

/// The part of an array of `elements` that a rank owns: the ranks' parts follow one another and
/// differ by one element at most. Example: 7 elements, 2 ranks: [0, 3) and [3, 7).
constexpr Shard shard_of(std::size_t elements, std::size_t rank, std::size_t ranks) {
  return {elements * rank / ranks, elements * (rank + 1) / ranks};
}

/// A Collective that also cuts arrays into the ranks' shards (`shard_of`).
///
/// Syntactic requirements on a collective c, for spans of float and double:
/// 1. `c.reduce_scatter_sum(values)` replaces this rank's shard by the sum over ranks; the rest of
///    the array is then undefined.
/// 2. `c.all_gather(values)` replaces every rank's shard by that of the rank that owns it.
/// 3. `c.broadcast(values, root)` replaces the array by that of rank `root`.
/// Semantic requirement: 1 and then 2 give the bits of `all_reduce_sum`.
/// tests/laws/collective_laws.hpp checks them.
template <class C>
concept ShardingCollective = Collective<C> &&
    requires(C& collective, std::span<float> floats, std::span<double> doubles) {
  collective.reduce_scatter_sum(floats);
  collective.reduce_scatter_sum(doubles);
  collective.all_gather(floats);
  collective.all_gather(doubles);
  collective.broadcast(floats, std::size_t{});
  collective.broadcast(doubles, std::size_t{});
};

/// One readable sentence if C is not a Collective.
template <class C>
consteval bool check_collective() {
  static_assert(
      Collective<C>,
      "dualagent: a Collective needs rank(), size(), all_reduce_sum(std::span<float>) and "
      "all_reduce_sum(std::span<double>); see docs/policies.md#collectives");
  return true;
}

namespace detail {

/// Errors: Error if `root` is not a rank of a group of `size`.
inline void require_rank(std::size_t root, std::size_t size, const char* where) {
  if (root >= size)
    throw Error("rank " + std::to_string(root) + " is not in a group of " + std::to_string(size),
                where);
}

}  // namespace detail

}  // namespace dualagent
