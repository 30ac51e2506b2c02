#pragma once

#include <cmath>
#include <cstddef>

#include "dualagent/kernels/adamw.inl"
#include "dualagent/kernels/combine.inl"

namespace dualagent::loops {

namespace detail {

template <class T>
struct ReadSquare {
  const T* value;
  DUALAGENT_HD double operator()(std::size_t i) const {
    const auto x = static_cast<double>(value[i]);
    return x * x;
  }
};

template <class T>
struct Scale {
  T factor;
  T* value;
  DUALAGENT_HD void operator()(std::size_t i) const { value[i] *= factor; }
};

template <class T>
struct UpdateWeight {
  kernels::AdamWStep<T> step;
  const T* gradient;
  T* weight;
  T* first;
  T* second;

  struct Element {
    T gradient, weight, first, second;
  };
  DUALAGENT_HD Element read(std::size_t i) const {
    return {gradient[i], weight[i], first[i], second[i]};
  }
  DUALAGENT_HD void write(std::size_t i, Element x) const {
    kernels::adamw(step, x.gradient, x.weight, x.first, x.second);
    weight[i] = x.weight;
    first[i] = x.first;
    second[i] = x.second;
  }
  DUALAGENT_HD void operator()(std::size_t i) const { write(i, read(i)); }
};

}  // namespace detail

/// Euclidean norm of `count` gradients, summed in double; not finite if any of them is not.
template <class Loops, class T>
double global_norm(Loops& loops, std::size_t count, const T* gradient) {
  return std::sqrt(
      loops.map_reduce(count, kernels::Sum<double>{}, detail::ReadSquare<T>{gradient}));
}

/// Scales gradients of norm `norm` down to `max_norm`; smaller ones stay as they are.
/// Source: Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural networks",
/// 2013, algorithm 1.
template <class Loops, class T>
void clip_to_norm(Loops& loops, std::size_t count, T* gradient, double norm, double max_norm) {
  if (!(norm > max_norm)) return;
  loops.for_each(count, detail::Scale<T>{static_cast<T>(max_norm / norm), gradient});
}

/// One step of AdamW over `count` weights and their moments. Cost: reads and writes 28 bytes per
/// float.
template <class Loops, class T>
void adamw(Loops& loops, const kernels::AdamWStep<T>& step, std::size_t count, const T* gradient,
           T* weight, T* first, T* second) {
  loops.for_each(count, detail::UpdateWeight<T>{step, gradient, weight, first, second});
}

}  // namespace dualagent::loops
