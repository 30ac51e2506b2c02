#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>

#include "dualagent/collective/collective.hpp"
#include "dualagent/collective/gradient_buckets.hpp"
#include "dualagent/collective/mesh.hpp"
#include "dualagent/cpu/loops.inl"
#include "dualagent/kernels/combine.inl"
#include "dualagent/loops/optimizer.inl"
#include "dualagent/optim/clip.hpp"

namespace dualagent {

/// One readable sentence if C cannot cut arrays into shards.
template <class C>
consteval bool check_sharding_collective() {
  static_assert(!is_mesh<C>,
                "dualagent: updates are sharded over the data axis: write Mesh{Sharded{data}, "
                "model} instead of Sharded{Mesh{data, model}}; see docs/collectives.md#two-axes");
  static_assert(ShardingCollective<C>,
                "dualagent: Sharded{collective} needs a collective with reduce_scatter_sum, "
                "all_gather and broadcast, for spans of float and double; see docs/collectives.md");
  return true;
}

/// A collective over which updates are sharded: each rank keeps the moments of its part of the
/// parameters (`shard_of`), updates that part, and the parts are gathered. Where a trainer is given
/// a collective alone, every rank keeps all moments and updates all parameters.
///
/// Determinism: weights, moments and checkpoints of float models have the same bits either way. Of
/// double models the norm, and so a clipped step, may differ in the last bit: their squares are
/// rounded. A checkpoint of one may be loaded by the other, on any number of ranks. `save` is then
/// a call that all ranks make. Cost: moments of 1/n of the parameters on n ranks; as many bytes are
/// sent as for a sum of the gradients, and n single numbers. Each rank gets the sums of its shard
/// of the gradients alone, while backward goes on where learner and collective can do that; a
/// learner's array of gradients is whole on every rank all the same, so this is stage 1 of
/// Rajbhandari et al., "ZeRO", 2020, with the reduction of stage 2. Example:
/// Trainer{SharedWeights{model}, protocol, reward, recipe, Sharded{collective}, options}
template <class C>
struct Sharded : C {
  static_assert(check_sharding_collective<C>());
  explicit Sharded(C collective) : C(std::move(collective)) {}
};

namespace detail {

/// Of two parts what both have.
constexpr Shard common_part(const Shard& a, const Shard& b) {
  const std::size_t begin = std::max(a.begin, b.begin);
  return {begin, std::max(begin, std::min(a.end, b.end))};
}

/// sum + the squares of gradients of the host, in their order; the terms of `global_norm`.
template <class View>
double add_squares(double sum, const View& gradients, const Shard& part) {
  const kernels::Sum<double> add;
  const loops::detail::ReadSquare<std::remove_const_t<typename View::value_type>> square{
      gradients.data()};
  for (std::size_t i = part.begin; i < part.end; ++i) sum = add(sum, square(i));
  return sum;
}

/// Every rank does the whole update.
struct ReplicatedUpdate {
  template <class C>
  static Shard part(const C&, std::size_t parameters) {
    return {0, parameters};
  }
  template <class C, class View>
  using Buckets = GradientBuckets<C, View, SumForAll>;
  template <class C, class Machine, class View>
  static double norm(C&, Machine& machine, const View& gradients) {
    return global_norm(machine, gradients);
  }
  /// Sum of the squares of some parts of the gradients, on the host.
  template <class C, class View>
  static double squares(C&, const View& gradients, std::span<const Shard> parts) {
    double sum = kernels::Sum<double>{}.identity();
    for (const Shard& part : parts) sum = add_squares(sum, gradients, part);
    return sum;
  }
  template <class C, class View>
  static void gather(C&, const View&) {}
};

/// Every rank does the part of the update that is its shard.
struct ShardedUpdate {
  template <class C>
  static Shard part(const C& collective, std::size_t parameters) {
    return shard_of(parameters, collective.rank(), collective.size());
  }
  template <class C, class View>
  using Buckets = GradientBuckets<C, View, SumForOwner>;
  /// On the host the ranks add to one sum in their order, as one rank would that has all gradients.
  template <class C, class Machine, class View>
  static double norm(C& collective, [[maybe_unused]] Machine& machine, const View& gradients) {
    const Shard all{0, gradients.size()};
    if constexpr (std::is_same_v<Machine, cpu::Loops>) {
      return std::sqrt(squares(collective, gradients, std::span(&all, 1)));
    } else {
      using Square = loops::detail::ReadSquare<std::remove_const_t<typename View::value_type>>;
      const Shard mine = part(collective, gradients.size());
      double sum[] = {machine.map_reduce(mine.size(), kernels::Sum<double>{},
                                         Square{gradients.data() + mine.begin})};
      collective.all_reduce_sum(std::span<double>(sum));
      return std::sqrt(sum[0]);
    }
  }
  template <class C, class View>
  static double squares(C& collective, const View& gradients, std::span<const Shard> parts) {
    double sum[] = {kernels::Sum<double>{}.identity()};
    const Shard mine = part(collective, gradients.size());
    for (std::size_t rank = 0; rank < collective.size(); ++rank) {
      if (rank == collective.rank())
        for (const Shard& some : parts)
          sum[0] = add_squares(sum[0], gradients, common_part(mine, some));
      collective.broadcast(std::span<double>(sum), rank);
    }
    return sum[0];
  }
  template <class C, class View>
  static void gather(C& collective, const View& values) {
    collective.all_gather(values);
  }
};

template <class C>
struct UpdateStrategy {
  using type = ReplicatedUpdate;
};
template <class C>
struct UpdateStrategy<Sharded<C>> {
  using type = ShardedUpdate;
};
template <class Context, class Tensor>
struct UpdateStrategy<ContextParallel<Context, Tensor>> {
  static constexpr bool kSharded =
      std::is_same_v<typename UpdateStrategy<Context>::type, ShardedUpdate> ||
      std::is_same_v<typename UpdateStrategy<Tensor>::type, ShardedUpdate>;
  using type = std::conditional_t<kSharded, ShardedUpdate, ReplicatedUpdate>;
};
template <class Data, class Model>
struct UpdateStrategy<Mesh<Data, Model>> : UpdateStrategy<Data> {
  static_assert(std::is_same_v<typename UpdateStrategy<Model>::type, ReplicatedUpdate>,
                "dualagent: updates are sharded over the data axis: write Mesh{Sharded{data}, "
                "model} instead of Mesh{data, Sharded{model}}; see docs/collectives.md#two-axes");
};
template <class C>
using UpdateStrategyOf = typename UpdateStrategy<C>::type;

}  // namespace detail

}  // namespace dualagent
