#pragma once

#include <cstddef>

/// Serial loops over the per-element functions of kernels/, in index order: equal inputs give equal
/// bits.
namespace dualagent::cpu {

/// Calls `body(i)` for i = 0 .. count - 1.
template <class Body>
inline void for_each(std::size_t count, Body&& body) {
  for (std::size_t i = 0; i < count; ++i) body(i);
}

/// op(... op(op(identity, map(0)), map(1)) ..., map(count - 1)).
template <class Operator, class Map>
inline auto map_reduce(std::size_t count, const Operator& op, Map&& map) {
  auto result = Operator::identity();
  for (std::size_t i = 0; i < count; ++i) result = op(result, map(i));
  return result;
}

}  // namespace dualagent::cpu
