#pragma once

#include <nccl.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

#include "dualagent/collective/collective.hpp"
#include "dualagent/collective/rendezvous.hpp"
#include "dualagent/cuda/buffer.cuh"
#include "dualagent/cuda/stream.cuh"

namespace dualagent::gpu {

/// Ranks that add up arrays by NCCL, one GPU each.
///
/// Arrays on the device (`DeviceSpan`) are summed in a stream of the collective's own, which waits
/// for what the caller's stream was given before and which the caller's stream waits for; the calls
/// return at once. What starts a sum lets the caller's stream go on: see GradientBuckets.
/// Arrays on the host (std::span), such as the trainer's counts, are staged and waited for.
/// Shards are those of shard_of. Movable, not copyable; for one thread.
/// Determinism: every rank gets the same bits; the order of a sum is NCCL's, so that
/// reduce_scatter_sum and all_gather agree with all_reduce_sum up to rounding.
/// Errors: Error that names the call, the rank and NCCL's words; the group is then aborted. A rank
/// that waits on the host for one that died gets NCCL's error.
/// Example: const LaunchedRank me = rank_from_environment();
///          cudaSetDevice(me.local_rank);
///          NcclCollective collective(me.rank, me.size, TcpRendezvous{me.address, me.port});
class NcclCollective {
 public:
  /// A group of one; needs no rendezvous.
  NcclCollective() : NcclCollective(0, 1, ByBroadcast{[](std::byte*, std::size_t) {}}) {}

  /// All ranks call it, each with its device current. `stream` is the caller's.
  template <class R>
  NcclCollective(std::size_t rank, std::size_t size, R&& rendezvous, cudaStream_t stream = nullptr)
      : rank_(rank), size_(size), caller_(stream) {
    static_assert(Rendezvous<std::remove_reference_t<R>>,
                  "dualagent: a Rendezvous needs exchange(rank, size, bytes), like SharedFile, "
                  "TcpRendezvous and ByBroadcast; see docs/collectives.md");
    ncclUniqueId id{};
    if (rank == 0) check_nccl(ncclGetUniqueId(&id), "ncclGetUniqueId");
    rendezvous.exchange(rank, size,
                        std::as_writable_bytes(std::span<ncclUniqueId>(&id, std::size_t{1})));
    ncclComm_t made = nullptr;
    check_nccl(ncclCommInitRank(&made, static_cast<int>(size), id, static_cast<int>(rank)),
               "ncclCommInitRank");
    group_.reset(made);
  }

  std::size_t rank() const { return rank_; }
  std::size_t size() const { return size_; }

  /// A sum that has been started.
  class Sum {
   public:
    explicit Sum(cudaStream_t caller) : caller_(caller) {}
    /// What the caller's stream is given from now on sees the sum.
    void wait() { done_.hold(caller_); }

   private:
    friend class NcclCollective;
    cudaStream_t caller_;
    Event done_;
  };

  template <class T>
  Sum start_all_reduce_sum(DeviceSpan<T> values) {
    return start([&] {
      check_nccl(ncclAllReduce(values.data(), values.data(), values.size(), type<T>(), ncclSum,
                               group_.get(), stream_.get()),
                 "ncclAllReduce");
    });
  }

  /// A sum that rank `root` alone gets; the other ranks' arrays stay as they are.
  template <class T>
  Sum start_reduce_sum(DeviceSpan<T> values, std::size_t root) {
    return start([&] {
      check_nccl(ncclReduce(values.data(), values.data(), values.size(), type<T>(), ncclSum,
                            static_cast<int>(root), group_.get(), stream_.get()),
                 "ncclReduce");
    });
  }

  template <class T>
  void all_reduce_sum(DeviceSpan<T> values) {
    start_all_reduce_sum(values).wait();
  }

  template <class T>
  void reduce_scatter_sum(DeviceSpan<T> values) {
    const Shard own = shard_of(values.size(), rank_, size_);
    start([&] {
      if (values.size() % size_ == 0)
        return check_nccl(ncclReduceScatter(values.data(), values.data() + own.begin, own.size(),
                                            type<T>(), ncclSum, group_.get(), stream_.get()),
                          "ncclReduceScatter");
      for_each_shard(values.size(), "ncclReduce", [&](Shard shard, int root) {
        return ncclReduce(values.data() + shard.begin, values.data() + shard.begin, shard.size(),
                          type<T>(), ncclSum, root, group_.get(), stream_.get());
      });
    }).wait();
  }

  template <class T>
  void all_gather(DeviceSpan<T> values) {
    const Shard own = shard_of(values.size(), rank_, size_);
    start([&] {
      if (values.size() % size_ == 0)
        return check_nccl(ncclAllGather(values.data() + own.begin, values.data(), own.size(),
                                        type<T>(), group_.get(), stream_.get()),
                          "ncclAllGather");
      for_each_shard(values.size(), "ncclBroadcast", [&](Shard shard, int root) {
        return ncclBroadcast(values.data() + shard.begin, values.data() + shard.begin, shard.size(),
                             type<T>(), root, group_.get(), stream_.get());
      });
    }).wait();
  }

  template <class T>
  void broadcast(DeviceSpan<T> values, std::size_t root) {
    start([&] {
      check_nccl(ncclBroadcast(values.data(), values.data(), values.size(), type<T>(),
                               static_cast<int>(root), group_.get(), stream_.get()),
                 "ncclBroadcast");
    }).wait();
  }

  template <class T>
  void all_reduce_sum(std::span<T> values) {
    staged(values, [&](DeviceSpan<T> array) { all_reduce_sum(array); });
  }
  template <class T>
  void reduce_scatter_sum(std::span<T> values) {
    staged(values, [&](DeviceSpan<T> array) { reduce_scatter_sum(array); });
  }
  template <class T>
  void all_gather(std::span<T> values) {
    staged(values, [&](DeviceSpan<T> array) { all_gather(array); });
  }
  template <class T>
  void broadcast(std::span<T> values, std::size_t root) {
    staged(values, [&](DeviceSpan<T> array) { broadcast(array, root); });
  }

 private:
  struct Destroy {
    void operator()(ncclComm_t group) const { ncclCommDestroy(group); }
  };

  template <class T>
  static ncclDataType_t type() {
    static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>,
                  "dualagent: NcclCollective sums float and double");
    return std::is_same_v<T, float> ? ncclFloat32 : ncclFloat64;
  }

  /// A failed group is aborted: its operations would wait for ever.
  void check_nccl(ncclResult_t status, const char* call) {
    if (status == ncclSuccess) return;
    const std::string words = ncclGetLastError(group_.get());
    if (group_ != nullptr) ncclCommAbort(group_.release());
    throw Error(
        "NCCL says: " + std::string(ncclGetErrorString(status)) +
            (words.empty() ? "" : ", " + words),
        std::string(call) + " on rank " + std::to_string(rank_) + " of " + std::to_string(size_),
        "Run with NCCL_DEBUG=WARN; see the other ranks' errors first");
  }

  /// Gives `work` to the own stream, between what the caller's stream was given before and later.
  template <class Work>
  Sum start(const Work& work) {
    if (group_ == nullptr)
      throw Error("the group was aborted by an earlier error", "NcclCollective");
    Event before;
    before.record(caller_);
    before.hold(stream_.get());
    work();
    Sum sum(caller_);
    sum.done_.record(stream_.get());
    return sum;
  }

  /// One operation per shard of an array that the ranks cannot share evenly, at once.
  template <class Operation>
  void for_each_shard(std::size_t elements, const char* call, const Operation& operation) {
    check_nccl(ncclGroupStart(), "ncclGroupStart");
    ncclResult_t status = ncclSuccess;
    for (std::size_t root = 0; root < size_ && status == ncclSuccess; ++root) {
      const Shard shard = shard_of(elements, root, size_);
      if (shard.size() > 0) status = operation(shard, static_cast<int>(root));
    }
    const ncclResult_t end = ncclGroupEnd();  // in any case, or the thread stays in the group
    check_nccl(status, call);
    check_nccl(end, "ncclGroupEnd");
  }

  template <class T, class Operation>
  void staged(std::span<T> values, const Operation& operation) {
    if (values.empty()) return;
    staging_.resize(values.size_bytes());
    auto* const data = reinterpret_cast<T*>(staging_.data());
    check(
        cudaMemcpyAsync(data, values.data(), values.size_bytes(), cudaMemcpyHostToDevice, caller_),
        "cudaMemcpyAsync to the device");
    operation(DeviceSpan<T>(data, values.size()));
    wait_on_host();
    check(
        cudaMemcpyAsync(values.data(), data, values.size_bytes(), cudaMemcpyDeviceToHost, caller_),
        "cudaMemcpyAsync to the host");
    check(cudaStreamSynchronize(caller_), "cudaStreamSynchronize");
  }

  /// Until the own stream is idle; watches for ranks that died, whom a plain wait would never miss.
  void wait_on_host() {
    for (;;) {
      const cudaError_t status = cudaStreamQuery(stream_.get());
      if (status == cudaSuccess) return;
      if (status != cudaErrorNotReady) check(status, "cudaStreamQuery");
      ncclResult_t fault = ncclSuccess;
      check_nccl(ncclCommGetAsyncError(group_.get(), &fault), "ncclCommGetAsyncError");
      check_nccl(fault, "an operation");
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  }

  std::size_t rank_, size_;
  cudaStream_t caller_;
  Stream stream_;
  Buffer<unsigned char> staging_;
  std::unique_ptr<std::remove_pointer_t<ncclComm_t>, Destroy> group_;
};
static_assert(ShardingCollective<NcclCollective>);

}  // namespace dualagent::gpu
