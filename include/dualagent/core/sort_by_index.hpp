#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <numeric>
#include <utility>
#include <vector>

namespace dualagent {

/// Sorts elements that are large or cost much to compile a sort for: the sort is compiled once, for
/// indices, and each element is moved once.
///
/// `less(i, j)`: whether elements[i] comes before elements[j]. Elements that are equal keep their
/// order.
template <class T>
void sort_by_index(std::vector<T>& elements,
                   const std::function<bool(std::size_t, std::size_t)>& less) {
  std::vector<std::size_t> order(elements.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&less](std::size_t i, std::size_t j) { return less(i, j); });
  std::vector<T> sorted;
  sorted.reserve(elements.size());
  for (const std::size_t i : order) sorted.push_back(std::move(elements[i]));
  elements = std::move(sorted);
}

}  // namespace dualagent
