#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "dualagent/collective/collective.hpp"
#include "support/catch.hpp"

/// Laws of a collective; call `sums_of_rank` on every rank and compare what the ranks got.
namespace laws {

/// Small integers, so that every order of addition is exact: rank r brings (r + 1) * (i % 7).
/// Returns what this rank got for sizes 0, 1, 2, 3 and 1000.
template <dualagent::Collective C>
std::vector<double> sums_of_rank(C& collective) {
  std::vector<double> all;
  for (const std::size_t size : {0u, 1u, 2u, 3u, 1000u}) {
    std::vector<float> floats(size);
    std::vector<double> doubles(size);
    for (std::size_t i = 0; i < size; ++i)
      floats[i] =
          static_cast<float>(doubles[i] = static_cast<double>((collective.rank() + 1) * (i % 7)));
    collective.all_reduce_sum(std::span<float>(floats));
    collective.all_reduce_sum(std::span<double>(doubles));
    all.insert(all.end(), floats.begin(), floats.end());
    all.insert(all.end(), doubles.begin(), doubles.end());
  }
  return all;
}

/// What `sums_of_rank` must return on every one of `ranks` ranks.
inline std::vector<double> expected_sums(std::size_t ranks) {
  std::vector<double> all;
  const auto factor = static_cast<double>(ranks * (ranks + 1) / 2);
  for (const std::size_t size : {0u, 1u, 2u, 3u, 1000u})
    for (int type = 0; type < 2; ++type)
      for (std::size_t i = 0; i < size; ++i) all.push_back(factor * static_cast<double>(i % 7));
  return all;
}

/// Thirds, so that the order of addition shows in the last bits: element i of rank r.
inline float third(std::size_t rank, std::size_t i) {
  return static_cast<float>((rank + 1) * (i % 11 + 1)) / 3.0F;
}

/// What this rank finds wrong with sharded operations, for sizes around multiples of the ranks;
/// empty if nothing is. Every rank must call it.
template <dualagent::ShardingCollective C>
std::string faults_of_shards(C& collective) {
  const std::size_t rank = collective.rank(), ranks = collective.size();
  std::string faults;
  for (const std::size_t size : {0u, 1u, 2u, 3u, 7u, 12u, 1001u}) {
    std::vector<float> whole(size), sharded(size), sent(size);
    for (std::size_t i = 0; i < size; ++i) whole[i] = sharded[i] = third(rank, i);
    const auto place = " of " + std::to_string(size) + " on rank " + std::to_string(rank) + "; ";
    collective.all_reduce_sum(std::span<float>(whole));
    collective.reduce_scatter_sum(std::span<float>(sharded));
    const dualagent::Shard own = dualagent::shard_of(size, rank, ranks);
    for (std::size_t i = 0; i < size; ++i)
      if (i < own.begin || i >= own.end)
        sharded[i] = -1;  // undefined, and not read
      else if (sharded[i] != whole[i])
        faults += "reduce_scatter_sum" + place;
    collective.all_gather(std::span<float>(sharded));
    if (sharded != whole) faults += "all_gather" + place;
    for (std::size_t root = 0; root < ranks; ++root) {
      for (std::size_t i = 0; i < size; ++i) sent[i] = third(rank, i);
      collective.broadcast(std::span<float>(sent), root);
      for (std::size_t i = 0; i < size; ++i)
        if (sent[i] != third(root, i)) faults += "broadcast" + place;
    }
  }
  return faults;
}

/// What this rank finds wrong with sums that are started and waited for later, in another order;
/// empty if nothing is. Every rank must call it.
template <dualagent::Collective C>
std::string faults_of_started_sums(C& collective) {
  const std::size_t rank = collective.rank(), ranks = collective.size();
  std::string faults;
  for (const std::size_t size : {0u, 1u, 7u, 3001u}) {
    std::vector<float> brought(size);
    for (std::size_t i = 0; i < size; ++i) brought[i] = third(rank, i);
    std::vector<float> expected = brought, for_all = brought, for_one = brought;
    collective.all_reduce_sum(std::span<float>(expected));
    const std::size_t root = size % ranks;
    auto first = collective.start_all_reduce_sum(std::span<float>(for_all));
    auto second = collective.start_reduce_sum(std::span<float>(for_one), root);
    second.wait();
    first.wait();
    const auto place = " of " + std::to_string(size) + " on rank " + std::to_string(rank) + "; ";
    if (for_all != expected) faults += "start_all_reduce_sum" + place;
    if (for_one != (rank == root ? expected : brought)) faults += "start_reduce_sum" + place;
  }
  return faults;
}

}  // namespace laws
