#pragma once

#include <cstddef>
#include <cub/block/block_reduce.cuh>
#include <span>
#include <string>

#include "dualagent/cuda/buffer.cuh"
#include "dualagent/cuda/launch.cuh"

namespace dualagent::gpu {

namespace detail {

inline constexpr std::size_t kThreads = 256;
inline constexpr std::size_t kItemsPerThread = 4;  // as many loads are in flight
inline constexpr std::size_t kTile = kThreads * kItemsPerThread;

/// A body that says what it reads of element i before it writes element i; it writes nothing that
/// another element reads.
template <class Body>
concept InHalves = requires(const Body& body, std::size_t i) {
  body.write(i, body.read(i));
};

/// A body that says `static constexpr bool searches = true`: one element's work is long, and four
/// of them side by side would not fit into registers.
template <class Body>
concept Searches = Body::searches;

/// Block b has the elements [b kTile, (b + 1) kTile). The distances within a tile are constants, so
/// that the compiler may load all of a thread's elements of one array before it stores any; of
/// several arrays, where the body is in halves.
template <class Body>
__global__ void __launch_bounds__(kThreads) for_each_kernel(std::size_t count, Body body) {
  const std::size_t first = blockIdx.x * kTile + threadIdx.x;
  if (first + (kItemsPerThread - 1) * kThreads >= count) {
    for (std::size_t i = first; i < count; i += kThreads) body(i);
    return;
  }
  if constexpr (InHalves<Body>) {
    decltype(body.read(first)) x[kItemsPerThread];
#pragma unroll
    for (std::size_t k = 0; k < kItemsPerThread; ++k) x[k] = body.read(first + k * kThreads);
#pragma unroll
    for (std::size_t k = 0; k < kItemsPerThread; ++k) body.write(first + k * kThreads, x[k]);
  } else if constexpr (Searches<Body>) {
#pragma unroll 1
    for (std::size_t k = 0; k < kItemsPerThread; ++k) body(first + k * kThreads);
  } else {
#pragma unroll
    for (std::size_t k = 0; k < kItemsPerThread; ++k) body(first + k * kThreads);
  }
}

inline constexpr std::size_t kReduceBlocks = 8192;  // of the first stage of a map_reduce
inline constexpr std::size_t kReduceEach = 8;       // loads in flight of a thread that only reads
inline constexpr std::size_t kReduceTile = kThreads * kReduceEach;

struct Range {
  std::size_t begin, end;
};
/// Block b's segment.
struct Segments {
  const std::size_t* begin;
  __device__ Range operator()(std::size_t b) const { return {begin[b], begin[b + 1]}; }
};
/// Block b's share of `count` elements, whole tiles but for the last.
struct Shares {
  std::size_t count, tiles_each;
  __device__ Range operator()(std::size_t b) const {
    const std::size_t size = tiles_each * kReduceTile, begin = b * size;
    return {begin, begin + size < count ? begin + size : count};
  }
};
template <class State>
struct ReadState {
  const State* states;
  __device__ State operator()(std::size_t i) const { return states[i]; }
};

/// results[b] = op over map(i) for i in ranges(b), by block b.
template <class Ranges, class Operator, class Map, class State>
__global__ void __launch_bounds__(kThreads)
    reduce_kernel(Ranges ranges, Operator op, Map map, State* results) {
  const Range range = ranges(blockIdx.x);
  State state = Operator::identity();
  std::size_t i = range.begin + threadIdx.x;
  for (; i + (kReduceEach - 1) * kThreads < range.end; i += kReduceTile) {
    State x[kReduceEach];
#pragma unroll
    for (std::size_t k = 0; k < kReduceEach; ++k) x[k] = map(i + k * kThreads);
#pragma unroll
    for (std::size_t k = 0; k < kReduceEach; ++k) state = op(state, x[k]);
  }
  for (; i < range.end; i += kThreads) state = op(state, map(i));
  using Reduce = cub::BlockReduce<State, static_cast<int>(kThreads)>;
  __shared__ typename Reduce::TempStorage storage;
  state = Reduce(storage).Reduce(state, op);
  if (threadIdx.x == 0) results[blockIdx.x] = state;
}

}  // namespace detail

/// The loops of cpu::Loops on a device, in one stream: the same face, bodies and operators. Bodies
/// and maps are function objects whose call operator is DUALAGENT_HD; what they point to lies on
/// the device; operators are associative and commutative. Owns the memory of the reductions' first
/// stages and reuses it.
///
/// A body may be in two halves, `read(i)` and `write(i, x)`, see detail::InHalves: the loads of
/// several elements are then in flight together. One that searches says so, see detail::Searches.
/// Determinism: equal inputs give equal bits; the order of sums is not that of the CPU loop.
class Loops {
 public:
  template <class T>
  using Array = Buffer<T>;

  explicit Loops(cudaStream_t stream = nullptr) : stream_(stream) {}

  cudaStream_t stream() const { return stream_; }

  /// Copies numbers of the host into `room`, which gets their size; waits for the stream. Returns
  /// where they are.
  template <class T>
  T* upload(std::span<const T> values, Array<T>& room) {
    room.upload(values, stream_);
    return room.data();
  }
  /// Copies an array to as many numbers of the host, after all work that was given before.
  template <class T>
  void download(const Array<T>& values, std::span<T> to) {
    values.download(to, stream_);
  }
  /// The same of arrays that somebody else owns. Errors: Error if the sizes differ.
  template <class T>
  void upload(std::span<const T> values, DeviceSpan<T> to) {
    copy(to.data(), values.data(), to.size(), values.size(), cudaMemcpyHostToDevice);
  }
  template <class T>
  void download(DeviceSpan<T> values, std::span<T> to) {
    copy(to.data(), values.data(), to.size(), values.size(), cudaMemcpyDeviceToHost);
  }

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
    const std::size_t tiles = (count + detail::kReduceTile - 1) / detail::kReduceTile;
    const std::size_t each = (tiles + detail::kReduceBlocks - 1) / detail::kReduceBlocks;
    const std::size_t blocks = each == 0 ? 0 : (tiles + each - 1) / each;
    partial_.resize(blocks * sizeof(State));
    result_.resize(sizeof(State));
    auto* const partial = reinterpret_cast<State*>(partial_.data());
    auto* const result = reinterpret_cast<State*>(result_.data());
    if (blocks > 0) reduce(blocks, detail::Shares{count, each}, op, map, partial);
    const std::size_t one_share = (blocks + detail::kReduceTile - 1) / detail::kReduceTile;
    reduce(1, detail::Shares{blocks, one_share}, op, detail::ReadState<State>{partial}, result);
    check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
    return *result;
  }

  /// The same for each of S segments: segment s is [begin[s], begin[s + 1]) and its result goes to
  /// results[s]; begin [S + 1] and results [S] lie on the device. Returns before it is done.
  template <class Operator, class Map>
  void segmented_map_reduce(std::size_t segments, const std::size_t* begin, const Operator& op,
                            const Map& map, decltype(Operator::identity())* results) {
    if (segments > 0) reduce(segments, detail::Segments{begin}, op, map, results);
  }

 private:
  template <class T>
  void copy(T* to, const T* from, std::size_t room, std::size_t count, cudaMemcpyKind kind) {
    if (room != count)
      throw Error(std::to_string(count) + " numbers were to be copied to " + std::to_string(room),
                  "gpu::Loops");
    check(cudaMemcpyAsync(to, from, count * sizeof(T), kind, stream_), "cudaMemcpyAsync");
    check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
  }

  template <class Ranges, class Operator, class Map, class State>
  void reduce(std::size_t blocks, const Ranges& ranges, const Operator& op, const Map& map,
              State* results) {
    launch("reduce", detail::reduce_kernel<Ranges, Operator, Map, State>, blocks, detail::kThreads,
           stream_, ranges, op, map, results);
  }

  cudaStream_t stream_;
  Buffer<unsigned char> partial_;
  Buffer<unsigned char, PinnedMemory> result_;
};

}  // namespace dualagent::gpu
