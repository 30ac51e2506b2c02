#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/core/any_callback.hpp"
#include "dualagent/model/architecture.hpp"

namespace dualagent {

/// What an optimizer keeps between its steps: all that a run must save to go on.
///
/// Syntactic requirements on a state s:
/// 1. `s.steps`: std::uint64_t, the steps done.
/// 2. `s.for_each(visit)`, const and not, calls `visit(name, array)` for every
/// AlignedVector<Scalar>
///    of it, always in the same order. A checkpoint keeps the arrays under these names.
template <class S, class Scalar>
concept OptimizerState = requires(S& state, const S& saved) {
  { state.steps } -> std::same_as<std::uint64_t&>;
  state.for_each(detail::AnyCallback{});
  saved.for_each(detail::AnyCallback{});
};

/// What an optimizer O keeps between steps.
template <class O, class Scalar>
using StateOf = decltype(std::declval<const O&>().template make_state<Scalar>(
    std::size_t{}, std::span<const TensorInfo>{}));

/// Turns gradients into weights: how far, and in which direction, a step goes.
///
/// Syntactic requirements on a constant o, a plain value that holds options:
/// 1. `o.learning_rate`: what metrics tell, times the schedule's factor.
/// 2. `o.template validate<Scalar>()` throws Error for a value that cannot be meant.
/// 3. `o.describe(visit)` calls `visit(name, number)` for every option that the numbers depend on.
/// 4. `o.template make_state<Scalar>(parameters, tensors)`: an OptimizerState of no steps for
///    `parameters` weights; `tensors` says what they are.
/// 5. `o.step(weights, gradients, state, scale)`, of a std::span<Scalar> and a
///    std::span<const Scalar>, updates weights and state in place; `scale` multiplies all learning
///    rates (a schedule's value).
/// Semantic requirements: the weights after a step depend on the arguments alone, bit by bit, and
/// `step` adds 1 to the state's steps. What it refuses changes nothing.
/// Optional: `static constexpr bool elementwise = true` says that what becomes of a weight depends
/// on no other weight's gradient: each array of the state has one number per weight, and a range of
/// the weights can be updated without the others. Over a `Sharded` collective it is required:
/// `make_state` and `step` then see this rank's range alone, whose length is `parameters`, while
/// `tensors` still describes the whole model.
/// Optional: `o.template make_state_on<Scalar>(machine, parameters, tensors)` and
/// `o.step_on(machine, weights, gradients, state, scale)` do the same in the memory of a machine
/// with the face of gpu::Loops: the state's arrays are its `Array<Scalar>`, weights and gradients
/// its views. A learner that computes on that machine requires them.
template <class O, class Scalar>
concept Optimizer = requires(const O& optimizer, StateOf<O, Scalar>& state,
                             std::span<Scalar> weights, std::span<const Scalar> gradients) {
  requires OptimizerState<StateOf<O, Scalar>, Scalar>;
  { optimizer.learning_rate } -> std::convertible_to<double>;
  optimizer.template validate<Scalar>();
  optimizer.describe(detail::AnyCallback{});
  optimizer.step(weights, gradients, state, 1.0);
};

/// Whether O can update a range of the weights without the others.
template <class O>
consteval bool is_elementwise() {
  if constexpr (requires { O::elementwise; })
    return O::elementwise;
  else
    return false;
}

/// One readable sentence if O is not an optimizer of weights of type Scalar.
template <class O, class Scalar>
consteval bool check_optimizer() {
  static_assert(Optimizer<O, Scalar>,
                "dualagent: an Optimizer needs learning_rate, validate, describe, make_state and "
                "step; see docs/policies.md#optimizers");
  return true;
}

/// What an optimizer O keeps between steps in the memory of a machine.
template <class O, class Scalar, class Machine>
using StateOn = decltype(std::declval<const O&>().template make_state_on<Scalar>(
    std::declval<Machine&>(), std::size_t{}, std::span<const TensorInfo>{}));

/// One readable sentence if O cannot update weights that are not on the host.
template <class O, class Scalar, class Machine>
consteval bool check_optimizer_on() {
  static_assert(
      requires { typename StateOn<O, Scalar, Machine>; },
      "dualagent: a learner that computes on another machine needs an optimizer with "
      "make_state_on and step_on, as AdamW has; see docs/policies.md#optimizers");
  return true;
}

/// One readable sentence if O cannot update a rank's share of the weights.
template <class O>
consteval bool check_elementwise() {
  static_assert(is_elementwise<O>(),
                "dualagent: over Sharded{collective}, or of a model on several ranks, a rank "
                "updates its share of the weights without the others', which needs an optimizer "
                "with 'static constexpr bool elementwise = true', such as AdamW; see "
                "docs/policies.md#optimizers");
  return true;
}

}  // namespace dualagent
