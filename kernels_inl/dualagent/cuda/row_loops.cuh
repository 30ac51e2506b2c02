#pragma once

#include <cstddef>
#include <cstdint>
#include <cub/block/block_reduce.cuh>

#include "dualagent/cuda/matrix.cuh"
#include "dualagent/kernels/log_prob.inl"

/// Loops of one block over one row of a matrix.
namespace dualagent::gpu {

/// Threads of a block that reads a row once.
inline constexpr int kRowThreads = 256;

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

namespace detail {

/// A row as numbers before the first wide load, wide loads, and the numbers after them.
template <class T>
struct PackedRow {
  std::size_t head;   ///< numbers before the first pack
  std::size_t packs;  ///< wide loads
  Pack<T>* wide;

  __device__ PackedRow(T* row, std::size_t n) {
    const std::size_t off = reinterpret_cast<std::uintptr_t>(row) % kLoadBytes / sizeof(T);
    const std::size_t to_aligned = off == 0 ? 0 : kPack<T> - off;
    head = to_aligned < n ? to_aligned : n;
    packs = (n - head) / kPack<T>;
    wide = reinterpret_cast<Pack<T>*>(row + head);
  }
  /// First number after the packs.
  __device__ std::size_t tail() const { return head + packs * kPack<T>; }
};

inline constexpr std::size_t kPacksInFlight = 4;

}  // namespace detail

/// Calls `body(x)` for all n numbers of a row, an array x of floats at a time, shared by the
/// block's threads; numbers that are missing at the ends are `fill`. Reads 16 bytes at a time
/// wherever the row is aligned to them, four such loads in flight per thread. `blockDim.x` must be
/// kThreads.
template <int kThreads, class T, class Body>
__device__ void for_each_pack(const T* row, std::size_t n, float fill, Body&& body) {
  using detail::kPack;
  constexpr std::size_t kMany = detail::kPacksInFlight;
  const detail::PackedRow<T> packed(const_cast<T*>(row), n);  // read only
  std::size_t p = threadIdx.x;
  for (; p + (kMany - 1) * kThreads < packed.packs; p += kMany * kThreads) {
    detail::Pack<T> pack[kMany];
#pragma unroll
    for (std::size_t k = 0; k < kMany; ++k) pack[k] = packed.wide[p + k * kThreads];
    float x[kMany * kPack<T>];
#pragma unroll
    for (std::size_t i = 0; i < kMany * kPack<T>; ++i)
      x[i] = to_float(pack[i / kPack<T>].value[i % kPack<T>]);
    body(x);
  }
  float x[kPack<T>];
  for (; p < packed.packs; p += kThreads) {
    const detail::Pack<T> pack = packed.wide[p];
    for (std::size_t i = 0; i < kPack<T>; ++i) x[i] = to_float(pack.value[i]);
    body(x);
  }
  const auto rest = [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = 0; i < kPack<T>; ++i)
      x[i] = begin + i < end ? to_float(row[begin + i]) : fill;
    body(x);
  };
  if (threadIdx.x == 0 && packed.head > 0) rest(0, packed.head);
  if (threadIdx.x == 1 && packed.tail() < n) rest(packed.tail(), n);
}

/// Calls `map(x)` for all n numbers x of a row and writes the results over them. `blockDim.x` must
/// be kThreads.
template <int kThreads, class T, class Map>
__device__ void rewrite_row(T* row, std::size_t n, Map&& map) {
  using detail::kPack;
  const detail::PackedRow<T> packed(row, n);
#pragma unroll 4
  for (std::size_t p = threadIdx.x; p < packed.packs; p += kThreads) {
    detail::Pack<T> pack = packed.wide[p];
#pragma unroll
    for (std::size_t i = 0; i < kPack<T>; ++i)
      pack.value[i] = from_float<T>(map(to_float(pack.value[i])));
    packed.wide[p] = pack;
  }
  const auto rest = [&](std::size_t begin, std::size_t end) {
    for (std::size_t v = begin + threadIdx.x; v < end; v += kThreads)
      row[v] = from_float<T>(map(to_float(row[v])));
  };
  rest(0, packed.head);
  rest(packed.tail(), n);
}

/// The same with results that are narrower than the row's numbers: number v goes to element v of
/// the row seen as Out. The row begins at a multiple of 16 bytes.
///
/// In place, since within a tile all numbers are read before any is written, and element v of Out
/// lies over elements of In that are not beyond v.
template <int kThreads, class Out, class In, class Map>
__device__ void narrow_row(In* row, std::size_t n, Map&& map) {
  static_assert(sizeof(Out) < sizeof(In), "dualagent: narrow_row makes numbers narrower");
  constexpr std::size_t kItemsPerThread = detail::kPack<Out>;  // neighbours: one wide store
  for (std::size_t begin = 0; begin < n; begin += kItemsPerThread * kThreads) {
    const std::size_t first = begin + kItemsPerThread * threadIdx.x;
    const bool whole = first + kItemsPerThread <= n;
    detail::Pack<Out> narrow;
    if (whole) {
      detail::Pack<In> wide[sizeof(In) / sizeof(Out)];
#pragma unroll
      for (std::size_t k = 0; k < sizeof(In) / sizeof(Out); ++k)
        wide[k] = reinterpret_cast<const detail::Pack<In>*>(row + first)[k];
#pragma unroll
      for (std::size_t i = 0; i < kItemsPerThread; ++i)
        narrow.value[i] = from_float<Out>(
            map(to_float(wide[i / detail::kPack<In>].value[i % detail::kPack<In>])));
    } else {
#pragma unroll
      for (std::size_t i = 0; i < kItemsPerThread; ++i)
        if (first + i < n) narrow.value[i] = from_float<Out>(map(to_float(row[first + i])));
    }
    __syncthreads();
    auto* const out = reinterpret_cast<Out*>(row) + first;
    if (whole) {
      *reinterpret_cast<detail::Pack<Out>*>(out) = narrow;
    } else {
#pragma unroll
      for (std::size_t i = 0; i < kItemsPerThread; ++i)
        if (first + i < n) out[i] = narrow.value[i];
    }
  }
}

/// Log-softmax of one row, `scale` bits per logit; the state is whole in thread 0 only.
/// `blockDim.x` must be kThreads.
template <int kThreads, class T>
__device__ kernels::SoftmaxState<float> softmax_of_row(const T* row, std::size_t n, float scale) {
  using Softmax = kernels::Softmax<float>;
  auto state = Softmax::identity();
  for_each_pack<kThreads>(row, n, -static_cast<float>(HUGE_VAL),
                          [&](const auto& x) { state = Softmax::extended(state, x, scale); });
  using Reduce = cub::BlockReduce<Softmax::State, kThreads>;
  __shared__ typename Reduce::TempStorage storage;
  return Reduce(storage).Reduce(state, Softmax{});
}

}  // namespace dualagent::gpu
