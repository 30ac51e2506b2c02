#pragma once

namespace dualagent::detail {

/// Takes whatever a callback is called with. Concepts ask with it whether something takes a
/// callback: nvcc 13 takes a concept with a lambda in it never to be satisfied.
struct AnyCallback {
  template <class... Arguments>
  constexpr void operator()(Arguments&&...) const {}
};

}  // namespace dualagent::detail
