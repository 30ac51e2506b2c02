#pragma once

#include <thrust/iterator/counting_iterator.h>
#include <thrust/iterator/transform_iterator.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cub/device/device_reduce.cuh>
#include <cub/device/device_segmented_reduce.cuh>

#include "dualagent/cuda/buffer.cuh"
#include "dualagent/cuda/launch.cuh"

namespace dualagent::gpu {

namespace detail {

inline constexpr int kThreads = 256;
inline constexpr std::size_t kMaxBlocks = 1U << 16;

template <class Body>
__global__ void for_each_kernel(std::size_t count, Body body) {
  const std::size_t stride = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += stride)
    body(i);
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
    const std::size_t blocks =
        std::min((count + detail::kThreads - 1) / detail::kThreads, detail::kMaxBlocks);
    launch("for_each", detail::for_each_kernel<Body>, blocks, detail::kThreads, stream_, count,
           body);
  }

  /// op over map(0) .. map(count - 1), `Operator::identity()` for none. Waits for the result.
  template <class Operator, class Map>
  auto map_reduce(std::size_t count, const Operator& op, const Map& map) {
    using State = decltype(Operator::identity());
    Buffer<State> result(1);
    const auto run = [&](void* scratch, std::size_t& bytes) {
      return cub::DeviceReduce::Reduce(scratch, bytes, mapped(map), result.data(),
                                       static_cast<std::int64_t>(count), op, Operator::identity(),
                                       stream_);
    };
    detail::with_scratch(scratch_, run, "cub::DeviceReduce::Reduce");
    return result.download(stream_).front();
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
};

}  // namespace dualagent::gpu
