#pragma once

#include <cstddef>
#include <cstdint>
#include <cub/block/block_reduce.cuh>

#include "dualagent/cuda/matrix.cuh"
#include "dualagent/kernels/log_prob.inl"

/// Loops of one block over one row of a matrix.
namespace dualagent::gpu {

inline constexpr int kRowThreads = 512;

namespace detail {

inline constexpr std::size_t kLoadBytes = 16;  // the widest load of a thread

/// Elements of one wide load.
template <class T>
inline constexpr std::size_t kPack = kLoadBytes / sizeof(T);

template <class T>
struct alignas(kLoadBytes) Pack {
  T value[kPack<T>];
};

}  // namespace detail

/// Calls `body(x)` for all n numbers of a row, kPack floats x at a time, shared by the block's
/// threads; numbers that are missing at the ends are `fill`. Reads 16 bytes at a time wherever the
/// row is aligned to them.
template <class T, class Body>
__device__ void for_each_pack(const T* row, std::size_t n, float fill, Body&& body) {
  constexpr std::size_t kPack = detail::kPack<T>;
  const std::size_t off = reinterpret_cast<std::uintptr_t>(row) % detail::kLoadBytes / sizeof(T);
  const std::size_t to_aligned = off == 0 ? 0 : kPack - off;
  const std::size_t head = to_aligned < n ? to_aligned : n;
  const std::size_t packs = (n - head) / kPack;
  float x[kPack];
  const auto* wide = reinterpret_cast<const detail::Pack<T>*>(row + head);
  for (std::size_t p = threadIdx.x; p < packs; p += blockDim.x) {
    const detail::Pack<T> pack = wide[p];
    for (std::size_t i = 0; i < kPack; ++i) x[i] = to_float(pack.value[i]);
    body(x);
  }
  const auto rest = [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = 0; i < kPack; ++i)
      x[i] = begin + i < end ? to_float(row[begin + i]) : fill;
    body(x);
  };
  if (threadIdx.x == 0 && head > 0) rest(0, head);
  if (threadIdx.x == 1 && head + packs * kPack < n) rest(head + packs * kPack, n);
}

/// Calls `map(v, x)` for all n numbers x of a row and writes the results over them, as Out, which
/// may be narrower than In: number v goes to element v of the row seen as Out. `blockDim.x` must be
/// kRowThreads.
///
/// In place, since within a tile all numbers are read before any is written, and element v of Out
/// lies over elements of In that are not beyond v.
template <class Out, class In, class Map>
__device__ void rewrite_row(In* row, std::size_t n, Map&& map) {
  static_assert(sizeof(Out) <= sizeof(In),
                "dualagent: a row cannot be rewritten with wider numbers");
  constexpr std::size_t kEach = 8;  // numbers in flight per thread
  constexpr std::size_t kTile = kEach * kRowThreads;
  auto* const out = reinterpret_cast<Out*>(row);
  for (std::size_t begin = 0; begin < n; begin += kTile) {
    float y[kEach];
    for (std::size_t k = 0; k < kEach; ++k) {
      const std::size_t v = begin + k * kRowThreads + threadIdx.x;
      y[k] = v < n ? map(v, to_float(row[v])) : 0.0F;
    }
    __syncthreads();
    for (std::size_t k = 0; k < kEach; ++k) {
      const std::size_t v = begin + k * kRowThreads + threadIdx.x;
      if (v < n) out[v] = from_float<Out>(y[k]);
    }
  }
}

/// Log-softmax of one row at a temperature; the state is whole in thread 0 only. `blockDim.x` must
/// be kRowThreads.
template <class T>
__device__ kernels::SoftmaxState<float> softmax_of_row(const T* row, std::size_t n,
                                                       float inverse_temperature) {
  using Softmax = kernels::Softmax<float>;
  auto state = Softmax::identity();
  for_each_pack(row, n, -static_cast<float>(HUGE_VAL), [&](float(&x)[detail::kPack<T>]) {
    for (float& z : x) z *= inverse_temperature;
    state = Softmax::extended(state, x);
  });
  using Reduce = cub::BlockReduce<Softmax::State, kRowThreads>;
  __shared__ typename Reduce::TempStorage storage;
  return Reduce(storage).Reduce(state, Softmax{});
}

}  // namespace dualagent::gpu
