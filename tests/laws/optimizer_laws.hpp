#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/core/random.hpp"
#include "dualagent/optim/optimizer.hpp"
#include "support/catch.hpp"

/// Laws of optimizers; call them in a test of your own.
namespace laws {

namespace detail {

inline std::vector<double> normals(std::size_t count, std::uint64_t seed) {
  const auto random = dualagent::RandomStream::from_seed(seed);
  std::vector<double> values;
  for (std::size_t i = 0; i < count; ++i) values.push_back(random.normal(i));
  return values;
}

/// Weights and state of an optimizer on a model of `tensors`.
template <class O>
struct Descent {
  Descent(const O& given, std::size_t count, std::span<const dualagent::TensorInfo> tensors)
      : optimizer(given),
        weights(normals(count, 1)),
        state(given.template make_state<double>(count, tensors)) {}
  void step(std::span<const double> gradients, double scale = 1.0) {
    optimizer.step(std::span<double>(weights), gradients, state, scale);
  }

  O optimizer;
  std::vector<double> weights;
  dualagent::StateOf<O, double> state;
};

}  // namespace detail

/// A state begins with no steps and counts them, and it is all that there is: arrays and count,
/// copied by name, go on with the same bits. A scale of 0 leaves the weights alone. An elementwise
/// optimizer updates two parts as it updates both together.
template <class O>
requires dualagent::Optimizer<O, double>
void check_optimizer_laws(const O& optimizer, std::span<const dualagent::TensorInfo> tensors) {
  std::size_t count = 0;
  for (const auto& tensor : tensors) count += tensor.size;
  const auto gradients = [&](std::uint64_t step) { return detail::normals(count, 10 + step); };

  detail::Descent<O> whole(optimizer, count, tensors), resumed = whole, parts = whole;
  CHECK(whole.state.steps == 0);
  const std::vector<double> before = whole.weights;
  whole.step(gradients(0), 0.0);
  CHECK(whole.weights == before);
  for (std::uint64_t step = 1; step < 4; ++step) whole.step(gradients(step));
  CHECK(whole.state.steps == 4);
  CHECK(whole.weights != before);

  resumed.weights = whole.weights;
  resumed.state.steps = whole.state.steps;
  whole.state.for_each([&](std::string_view name, const auto& from) {
    resumed.state.for_each([&](std::string_view other, auto& to) {
      if (name != other) return;
      REQUIRE(to.size() == from.size());
      std::copy(from.begin(), from.end(), to.begin());
    });
  });
  whole.step(gradients(4));
  resumed.step(gradients(4));
  CHECK(resumed.weights == whole.weights);

  if constexpr (dualagent::is_elementwise<O>()) {
    const std::size_t first = count / 3;
    auto low = optimizer.template make_state<double>(first, tensors);
    auto high = optimizer.template make_state<double>(count - first, tensors);
    for (std::uint64_t step = 0; step < 5; ++step) {
      const std::vector<double> all = gradients(step);
      const std::span<double> weights(parts.weights);
      const std::span<const double> of_all(all);
      const double scale = step == 0 ? 0.0 : 1.0;
      optimizer.step(weights.first(first), of_all.first(first), low, scale);
      optimizer.step(weights.subspan(first), of_all.subspan(first), high, scale);
    }
    CHECK(parts.weights == whole.weights);
    whole.state.for_each(
        [&](std::string_view, const auto& array) { CHECK(array.size() == count); });
  }
}

}  // namespace laws
