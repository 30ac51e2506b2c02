#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/core/check.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/cpu/loops.inl"
#include "dualagent/kernels/adamw.inl"
#include "dualagent/loops/optimizer.inl"
#include "dualagent/model/architecture.hpp"

namespace dualagent {

/// Moments of AdamW and the number of steps done: what a run must save to go on.
template <class Scalar, class Array = AlignedVector<Scalar>>
struct AdamWState {
  AdamWState() = default;
  explicit AdamWState(std::size_t parameters) : first(parameters), second(parameters) {}
  Array first;   // [parameters] mean of gradients
  Array second;  // [parameters] mean of squared gradients
  std::uint64_t steps = 0;

  template <class Visitor>
  void for_each(Visitor&& visit) {
    visit("first_moment", first);
    visit("second_moment", second);
  }
  template <class Visitor>
  void for_each(Visitor&& visit) const {
    visit("first_moment", first);
    visit("second_moment", second);
  }
};

/// Adam with decoupled weight decay, bias-corrected.
///
/// Weight decay acts on every parameter. Cost: one pass; reads and writes 28 bytes per float
/// parameter.
/// Source: Loshchilov and Hutter, "Decoupled weight decay regularization", 2019, algorithm 2.
/// Example: the first step moves each weight by about learning_rate against its gradient's sign.
struct AdamW {
  /// The default suits reinforcement of small models. A large pretrained model needs about 1e-6;
  /// imitation from random weights takes 1e-3 and more. See docs/training.md, "Choosing a learning
  /// rate".
  double learning_rate = 1e-4;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.0;

  static constexpr bool elementwise = true;

  /// Errors: Error for a value that cannot be meant, as it is in `Scalar`: in float, for example,
  /// an epsilon of 1e-50 is 0 and a beta of 1 - 1e-12 is 1.
  template <class Scalar>
  void validate() const {
    require_option(static_cast<Scalar>(learning_rate), kNotNegative, "learning_rate", "AdamW");
    require_option(static_cast<Scalar>(beta1), kBelowOne, "beta1", "AdamW");
    require_option(static_cast<Scalar>(beta2), kBelowOne, "beta2", "AdamW");
    require_option(static_cast<Scalar>(epsilon), kPositive, "epsilon", "AdamW");
    require_option(static_cast<Scalar>(weight_decay), kNotNegative, "weight_decay", "AdamW");
    require_option(learning_rate * weight_decay, kFraction, "learning_rate * weight_decay", "AdamW",
                   "a step takes this share of every weight away");
  }

  template <class Visitor>
  void describe(Visitor&& visit) const {
    visit("learning_rate", learning_rate);
    visit("beta1", beta1);
    visit("beta2", beta2);
    visit("epsilon", epsilon);
    visit("weight_decay", weight_decay);
  }

  template <class Scalar>
  AdamWState<Scalar> make_state(std::size_t parameters, std::span<const TensorInfo> = {}) const {
    return AdamWState<Scalar>(parameters);
  }

  /// The same in the memory of a machine with the face of gpu::Loops.
  template <class Scalar, class Machine>
  auto make_state_on(Machine& machine, std::size_t parameters,
                     std::span<const TensorInfo> = {}) const {
    AdamWState<Scalar, typename Machine::template Array<Scalar>> state;
    const std::vector<Scalar> zeros(parameters);
    machine.upload(std::span<const Scalar>(zeros), state.first);
    machine.upload(std::span<const Scalar>(zeros), state.second);
    return state;
  }

  /// The constants of step 1, 2, ..., as loops::adamw takes them.
  template <class Scalar>
  kernels::AdamWStep<Scalar> at_step(std::uint64_t step, double scale = 1.0) const {
    const auto t = static_cast<double>(step);
    const double rate = learning_rate * scale;
    return {static_cast<Scalar>(beta1),
            static_cast<Scalar>(beta2),
            static_cast<Scalar>(epsilon),
            static_cast<Scalar>(1.0 - rate * weight_decay),
            static_cast<Scalar>(rate / (1.0 - std::pow(beta1, t))),
            static_cast<Scalar>(1.0 / std::sqrt(1.0 - std::pow(beta2, t)))};
  }

  /// One update in place; `scale` multiplies the learning rate (a schedule's value).
  /// Errors: Error when the sizes differ.
  template <class Scalar>
  void step(std::span<Scalar> parameters, std::span<const Scalar> gradients,
            AdamWState<Scalar>& state, double scale = 1.0) const {
    cpu::Loops machine;
    step_on(machine, parameters, gradients, state, scale);
  }
  template <class Scalar>
  void step(std::span<Scalar> parameters, std::span<Scalar> gradients, AdamWState<Scalar>& state,
            double scale = 1.0) const {
    step(parameters, std::span<const Scalar>(gradients), state, scale);
  }

  /// The same on a machine, of views and a state in its memory.
  template <class Machine, class View, class Gradients, class Scalar, class Array>
  void step_on(Machine& machine, const View& parameters, const Gradients& gradients,
               AdamWState<Scalar, Array>& state, double scale = 1.0) const {
    if (gradients.size() != parameters.size() || state.first.size() != parameters.size())
      throw Error("AdamW got " + std::to_string(parameters.size()) + " parameters, " +
                      std::to_string(gradients.size()) + " gradients and moments for " +
                      std::to_string(state.first.size()),
                  "AdamW::step");
    loops::adamw(machine, at_step<Scalar>(++state.steps, scale), parameters.size(),
                 gradients.data(), parameters.data(), state.first.data(), state.second.data());
  }
};

}  // namespace dualagent
