#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <map>
#include <mutex>
#include <span>
#include <vector>

#include "cuda_runtime.h"
#include "dualagent/collective/threads.hpp"

// The part of NCCL that the library uses: ranks are threads, operations are done when called.

enum ncclResult_t { ncclSuccess, ncclInvalidArgument };
enum ncclDataType_t { ncclFloat32, ncclFloat64 };
enum ncclRedOp_t { ncclSum };
struct ncclUniqueId {
  char internal[128];
};
struct ncclComm {
  dualagent::ThreadCollective ranks;
};
using ncclComm_t = ncclComm*;

namespace cuda_emulator {

/// The groups that were given an id, by its first bytes.
struct Groups {
  std::mutex mutex;
  std::map<int, std::vector<dualagent::ThreadCollective>> of;
  int last = 0;
  static Groups& all() {
    static Groups groups;
    return groups;
  }
};

/// Runs `operation(collective, copy of the sent numbers)` in the type that is meant.
template <class Operation>
ncclResult_t in_type(ncclDataType_t type, const void* sent, std::size_t count,
                     const Operation& operation) {
  const auto run = [&]<class T>(T) {
    const T* const from = static_cast<const T*>(sent);
    std::vector<T> numbers(from, from + count);
    operation(numbers);
    return ncclSuccess;
  };
  return type == ncclFloat32 ? run(float{}) : run(double{});
}

template <class T>
void put(const std::vector<T>& numbers, std::size_t begin, std::size_t count, void* to) {
  std::copy_n(numbers.data() + begin, count, static_cast<T*>(to));
}

}  // namespace cuda_emulator

inline const char* ncclGetErrorString(ncclResult_t) { return "invalid argument"; }
inline const char* ncclGetLastError(ncclComm_t) { return ""; }
inline ncclResult_t ncclGroupStart() { return ncclSuccess; }
inline ncclResult_t ncclGroupEnd() { return ncclSuccess; }
inline ncclResult_t ncclCommGetAsyncError(ncclComm_t, ncclResult_t* fault) {
  return *fault = ncclSuccess, ncclSuccess;
}

inline ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  auto& groups = cuda_emulator::Groups::all();
  const std::lock_guard lock(groups.mutex);
  const int number = ++groups.last;
  std::memcpy(id->internal, &number, sizeof number);
  return ncclSuccess;
}
inline ncclResult_t ncclCommInitRank(ncclComm_t* made, int ranks, ncclUniqueId id, int rank) {
  if (rank < 0 || rank >= ranks) return ncclInvalidArgument;
  auto& groups = cuda_emulator::Groups::all();
  const std::lock_guard lock(groups.mutex);
  int number = 0;
  std::memcpy(&number, id.internal, sizeof number);
  auto& group = groups.of[number];
  if (group.empty()) group = dualagent::ThreadCollective::group(static_cast<std::size_t>(ranks));
  return *made = new ncclComm{group[static_cast<std::size_t>(rank)]}, ncclSuccess;
}
inline ncclResult_t ncclCommDestroy(ncclComm_t group) { return delete group, ncclSuccess; }
inline ncclResult_t ncclCommAbort(ncclComm_t group) { return ncclCommDestroy(group); }

inline ncclResult_t ncclAllReduce(const void* from, void* to, std::size_t count,
                                  ncclDataType_t type, ncclRedOp_t, ncclComm_t group,
                                  cudaStream_t) {
  return cuda_emulator::in_type(type, from, count, [&](auto& numbers) {
    group->ranks.all_reduce_sum(std::span(numbers));
    cuda_emulator::put(numbers, 0, count, to);
  });
}
inline ncclResult_t ncclReduce(const void* from, void* to, std::size_t count, ncclDataType_t type,
                               ncclRedOp_t, int root, ncclComm_t group, cudaStream_t) {
  return cuda_emulator::in_type(type, from, count, [&](auto& numbers) {
    group->ranks.all_reduce_sum(std::span(numbers));
    if (group->ranks.rank() == static_cast<std::size_t>(root))
      cuda_emulator::put(numbers, 0, count, to);
  });
}
inline ncclResult_t ncclBroadcast(const void* from, void* to, std::size_t count,
                                  ncclDataType_t type, int root, ncclComm_t group, cudaStream_t) {
  if (root < 0 || static_cast<std::size_t>(root) >= group->ranks.size()) return ncclInvalidArgument;
  return cuda_emulator::in_type(type, from, count, [&](auto& numbers) {
    group->ranks.broadcast(std::span(numbers), static_cast<std::size_t>(root));
    cuda_emulator::put(numbers, 0, count, to);
  });
}
/// `count` numbers per rank.
inline ncclResult_t ncclReduceScatter(const void* from, void* to, std::size_t count,
                                      ncclDataType_t type, ncclRedOp_t, ncclComm_t group,
                                      cudaStream_t) {
  return cuda_emulator::in_type(type, from, count * group->ranks.size(), [&](auto& numbers) {
    group->ranks.all_reduce_sum(std::span(numbers));
    cuda_emulator::put(numbers, count * group->ranks.rank(), count, to);
  });
}
inline ncclResult_t ncclAllGather(const void* from, void* to, std::size_t count,
                                  ncclDataType_t type, ncclComm_t group, cudaStream_t) {
  return cuda_emulator::in_type(type, from, count, [&](auto& numbers) {
    auto all = numbers;
    all.assign(count * group->ranks.size(), 0);
    std::copy(numbers.begin(), numbers.end(), all.data() + count * group->ranks.rank());
    group->ranks.all_gather(std::span(all));
    cuda_emulator::put(all, 0, all.size(), to);
  });
}
