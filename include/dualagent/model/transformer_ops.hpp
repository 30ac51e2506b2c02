#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

#include "dualagent/cpu/policy_loss.inl"
#include "dualagent/kernels/simd.inl"

/// Row functions of the transformer. Those of the forward pass are not inlined and spell out their
/// multiply-adds: sampling and training run the very same instructions, and so get the same bits.
namespace dualagent::detail {

template <class T>
using Vec = kernels::Simd<T>;

/// Runs `body(index, load, store)` over 0 .. n - 1 a vector at a time; the last, partial vector
/// goes through the same arithmetic, so that an element's bits do not depend on its place.
template <class T, class Body>
inline void for_each_vector(std::size_t n, Body&& body) {
  constexpr std::size_t kLanes = kernels::kLanes<T>;
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    body([i](const T* p) { return kernels::load<T>(p + i); },
         [i](T* p, Vec<T> v) { kernels::store<T>(p + i, v); });
  if (i == n) return;
  const std::size_t left = n - i;
  body([i, left](const T* p) { return kernels::load_end(p + i, left, T{0}); },
       [i, left](T* p, Vec<T> v) { kernels::store_end<T>(p + i, left, v); });
}

/// y = x / rms(x) * weight; returns 1 / rms(x). Source: Zhang, Sennrich, "Root mean square layer
/// normalization", 2019, eq. 4.
template <class T>
[[gnu::noinline]] T rms_norm(std::size_t n, const T* x, const T* weight, T epsilon, T* y) {
  Vec<T> squares{};
  for_each_vector<T>(
      n, [&](auto load, auto) { squares = kernels::multiply_add(load(x), load(x), squares); });
  const T inverse = T{1} / std::sqrt(kernels::sum_lanes<T>(squares) / static_cast<T>(n) + epsilon);
  for_each_vector<T>(n, [&](auto load, auto store) { store(y, load(x) * inverse * load(weight)); });
  return inverse;
}

/// Where the gradient of the weight at `offset` is added to; null where weights are frozen and
/// there are no gradients.
template <class T>
T* gradient_at(T* gradients, std::size_t offset) {
  return gradients == nullptr ? nullptr : gradients + offset;
}

/// dx += d(rms_norm)/dx^T dy, d_weight += d(rms_norm)/d(weight)^T dy unless it is null.
template <class T>
void rms_norm_backward(std::size_t n, const T* x, const T* weight, T inverse, const T* dy, T* dx,
                       T* d_weight) {
  Vec<T> dot{};
  for_each_vector<T>(n, [&](auto load, auto store) {
    const Vec<T> normed = load(x) * inverse;
    if (d_weight != nullptr) store(d_weight, load(d_weight) + load(dy) * normed);
    dot += load(dy) * load(weight) * normed;
  });
  const T mean = kernels::sum_lanes<T>(dot) / static_cast<T>(n);
  for_each_vector<T>(n, [&](auto load, auto store) {
    store(dx, load(dx) + (load(dy) * load(weight) - load(x) * inverse * mean) * inverse);
  });
}

/// act = silu(gate) * up.
template <class T>
[[gnu::noinline]] void swiglu(std::size_t n, const T* gate, const T* up, T* act) {
  for_each_vector<T>(n, [&](auto load, auto store) {
    const Vec<T> g = load(gate);
    store(act, g / (T{1} + kernels::exp(-g)) * load(up));
  });
}

/// Gradients of swiglu.
template <class T>
void swiglu_backward(std::size_t n, const T* gate, const T* up, const T* d_act, T* d_gate,
                     T* d_up) {
  for_each_vector<T>(n, [&](auto load, auto store) {
    const Vec<T> g = load(gate);
    const Vec<T> d = load(d_act);
    const Vec<T> sigmoid = T{1} / (T{1} + kernels::exp(-g));
    store(d_up, d * g * sigmoid);
    store(d_gate, d * load(up) * sigmoid * (T{1} + g * (T{1} - sigmoid)));
  });
}

/// p = softmax(scale * s) over the first n entries; entries n .. width - 1 become exactly 0.
/// `width` is a multiple of the lanes.
template <class T>
[[gnu::noinline]] void softmax_row(std::size_t n, std::size_t width, T scale, T* s) {
  const std::size_t used = kernels::padded<T>(n);
  for (std::size_t i = n; i < used; ++i) s[i] = T{-1e30F};
  const T top = cpu::largest(used, s);
  Vec<T> sum{};
  for (std::size_t i = 0; i < used; i += kernels::kLanes<T>) {
    const Vec<T> e = kernels::exp((kernels::load<T>(s + i) - top) * scale);
    sum += e;
    kernels::store<T>(s + i, e);
  }
  const T inverse = T{1} / kernels::sum_lanes<T>(sum);
  for (std::size_t i = 0; i < used; i += kernels::kLanes<T>)
    kernels::store<T>(s + i, kernels::load<T>(s + i) * inverse);
  for (std::size_t i = used; i < width; ++i) s[i] = T{0};
}

/// Rotary position embedding of one head: pairs (i, i + half) turn by position * theta^(-i / half).
/// `sign` -1 turns back. Source: Su et al., "RoFormer", 2021, eq. 34, in Hugging Face's half-split.
template <class T>
[[gnu::noinline]] void rotate(std::size_t head_dim, const T* cosine, const T* sine, T sign, T* x) {
  const std::size_t half = head_dim / 2;
  for_each_vector<T>(half, [&](auto load, auto store) {
    const Vec<T> a = load(x);
    const Vec<T> b = load(x + half);
    const Vec<T> s = load(sine) * sign;
    store(x, kernels::multiply_add(a, load(cosine), -(b * s)));
    store(x + half, kernels::multiply_add(b, load(cosine), a * s));
  });
}

}  // namespace dualagent::detail
