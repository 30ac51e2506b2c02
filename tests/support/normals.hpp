#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "dualagent/core/random.hpp"

/// n normal numbers of standard deviation `scale`; equal seeds give equal numbers.
template <class T>
std::vector<T> normals(std::size_t n, std::uint64_t seed, double scale = 1.0) {
  std::vector<T> values(n);
  const dualagent::RandomStream random = dualagent::RandomStream::from_seed(seed);
  for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<T>(scale * random.normal(i));
  return values;
}
