#pragma once

#include <cstddef>
#include <span>
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
  for (const std::size_t size : {0, 1, 2, 3, 1000}) {
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
  for (const std::size_t size : {0, 1, 2, 3, 1000})
    for (int type = 0; type < 2; ++type)
      for (std::size_t i = 0; i < size; ++i) all.push_back(factor * static_cast<double>(i % 7));
  return all;
}

}  // namespace laws
