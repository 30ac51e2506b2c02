#pragma once

#include <cstddef>
#include <vector>

namespace dualagent::cpu {

/// Serial loops over the per-element functions of kernels/, in index order: equal inputs give equal
/// bits. gpu::Loops has the same face; kernels_inl/dualagent/loops is written on either.
struct Loops {
  /// Memory of this machine; has data(), size() and resize(count).
  template <class T>
  using Array = std::vector<T>;

  /// Calls `body(i)` for i = 0 .. count - 1; no element's work depends on another's.
  template <class Body>
  static void for_each(std::size_t count, Body&& body) {
#ifndef __clang__  // clang does not know this pragma; it checks at run time for overlap
#pragma GCC ivdep
#endif
    for (std::size_t i = 0; i < count; ++i) body(i);
  }

  /// op(... op(op(identity, map(0)), map(1)) ..., map(count - 1)).
  template <class Operator, class Map>
  static auto map_reduce(std::size_t count, const Operator& op, Map&& map) {
    return fold(0, count, op, map);
  }

  /// The same for each of S segments: segment s is [begin[s], begin[s + 1]) and its result goes to
  /// results[s].
  template <class Operator, class Map>
  static void segmented_map_reduce(std::size_t segments, const std::size_t* begin,
                                   const Operator& op, Map&& map,
                                   decltype(Operator::identity())* results) {
    for (std::size_t s = 0; s < segments; ++s) results[s] = fold(begin[s], begin[s + 1], op, map);
  }

 private:
  template <class Operator, class Map>
  static auto fold(std::size_t begin, std::size_t end, const Operator& op, Map&& map) {
    auto result = Operator::identity();
    for (std::size_t i = begin; i < end; ++i) result = op(result, map(i));
    return result;
  }
};

}  // namespace dualagent::cpu
