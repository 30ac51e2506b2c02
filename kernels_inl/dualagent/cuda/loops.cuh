#pragma once

#include <thrust/iterator/counting_iterator.h>
#include <thrust/iterator/transform_iterator.h>

#include <cstddef>
#include <cstdint>
#include <cub/device/device_reduce.cuh>
#include <cub/device/device_segmented_reduce.cuh>

#include "dualagent/cuda/buffer.cuh"
#include "dualagent/cuda/launch.cuh"

namespace dualagent::gpu {

namespace detail {

inline constexpr std::size_t kThreads = 256;
inline constexpr std::size_t kEach = 4;  // elements per thread: as many loads are in flight
inline constexpr std::size_t kTile = kThreads * kEach;

/// Block b has the elements [b kTile, (b + 1) kTile). The distances within a tile are constants, so
/// that the compiler may load all of a thread's elements of one array before it stores any.
template <class Body>
__global__ void __launch_bounds__(kThreads) for_each_kernel(std::size_t count, Body body) {
  const std::size_t first = blockIdx.x * kTile + threadIdx.x;
  if (first + (kEach - 1) * kThreads < count) {
#pragma unroll
    for (std::size_t k = 0; k < kEach; ++k) body(first + k * kThreads);
    return;
  }
  for (std::size_t i = first; i < count; i += kThreads) body(i);
}

}  // namespace detail

/// The loops of cpu::Loops on a device, in one stream: the same face, bodies and operators. Bodies
/// and maps are function objects whose call operator is DUALAGENT_HD; what they point to lies on
/// the device. Owns the scratch memory of the reductions and reuses it.
///
/// Determinism: equal inputs give equal bits on one kind of device; the order of sums is not that
/// of the CPU loop.
class Loops {
 public:
  template <class T>
  using Array = Buffer<T>;

  explicit Loops(cudaStream_t stream = nullptr) : stream_(stream) {}

  cudaStream_t stream() const { return stream_; }

  /// Calls `body(i)` for i = 0 .. count - 1, in no order; returns before it is done.
  template <class Body>
  void for_each(std::size_t count, const Body& body) {
    if (count == 0) return;
    const std::size_t blocks = (count + detail::kTile - 1) / detail::kTile;
    launch("for_each", detail::for_each_kernel<Body>, blocks, detail::kThreads, stream_, count,
           body);
  }

  /// op over map(0) .. map(count - 1), `Operator::identity()` for none. Waits for the result.
  template <class Operator, class Map>
  auto map_reduce(std::size_t count, const Operator& op, const Map& map) {
    using State = decltype(Operator::identity());
    result_.resize(sizeof(State));
    auto* const result = reinterpret_cast<State*>(result_.data());
    const auto run = [&](void* scratch, std::size_t& bytes) {
      return cub::DeviceReduce::Reduce(scratch, bytes, mapped(map), result,
                                       static_cast<std::int64_t>(count), op, Operator::identity(),
                                       stream_);
    };
    detail::with_scratch(scratch_, run, "cub::DeviceReduce::Reduce");
    State on_host;
    check(cudaMemcpyAsync(&on_host, result, sizeof on_host, cudaMemcpyDeviceToHost, stream_),
          "cudaMemcpyAsync to the host");
    check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
    return on_host;
  }

  /// The same for each of S segments: segment s is [begin[s], begin[s + 1]) and its result goes to
  /// results[s]; begin [S + 1] and results [S] lie on the device. Returns before it is done.
  template <class Operator, class Map>
  void segmented_map_reduce(std::size_t segments, const std::size_t* begin, const Operator& op,
                            const Map& map, decltype(Operator::identity())* results) {
    if (segments == 0) return;
    const auto run = [&](void* scratch, std::size_t& bytes) {
      return cub::DeviceSegmentedReduce::Reduce(scratch, bytes, mapped(map), results,
                                                static_cast<std::int64_t>(segments), begin,
                                                begin + 1, op, Operator::identity(), stream_);
    };
    detail::with_scratch(scratch_, run, "cub::DeviceSegmentedReduce::Reduce");
  }

 private:
  template <class Map>
  static auto mapped(const Map& map) {
    return thrust::make_transform_iterator(thrust::make_counting_iterator(std::size_t{0}), map);
  }

  cudaStream_t stream_;
  Buffer<unsigned char> scratch_;
  Buffer<unsigned char> result_;  // of map_reduce
};

}  // namespace dualagent::gpu
