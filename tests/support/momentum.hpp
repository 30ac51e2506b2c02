#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/optim/optimizer.hpp"

/// An optimizer as a user may write one: a step against the mean of the gradients, whose length is
/// that of the whole gradient. The weights of a range depend on all gradients.
struct Momentum {
  double learning_rate = 0.5;
  double decay = 0.5;

  template <class Scalar>
  struct State {
    explicit State(std::size_t parameters) : mean(parameters), length(1) {}
    dualagent::AlignedVector<Scalar> mean;    // [parameters]
    dualagent::AlignedVector<Scalar> length;  // [1] sum of squares of the last gradients
    std::uint64_t steps = 0;
    template <class Visitor>
    void for_each(Visitor&& visit) {
      visit("mean", mean);
      visit("length", length);
    }
    template <class Visitor>
    void for_each(Visitor&& visit) const {
      visit("mean", mean);
      visit("length", length);
    }
  };

  template <class Scalar>
  void validate() const {}
  template <class Visitor>
  void describe(Visitor&& visit) const {
    visit("learning_rate", learning_rate);
    visit("decay", decay);
  }
  template <class Scalar>
  State<Scalar> make_state(std::size_t parameters, std::span<const dualagent::TensorInfo>) const {
    return State<Scalar>(parameters);
  }
  template <class Scalar>
  void step(std::span<Scalar> weights, std::span<const Scalar> gradients, State<Scalar>& state,
            double scale) const {
    ++state.steps;
    state.length[0] = Scalar{0};
    for (const Scalar gradient : gradients) state.length[0] += gradient * gradient;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      state.mean[i] = static_cast<Scalar>(decay) * state.mean[i] + gradients[i];
      weights[i] -= static_cast<Scalar>(scale * learning_rate) * state.length[0] * state.mean[i];
    }
  }
};
