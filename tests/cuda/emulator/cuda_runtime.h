#pragma once

#include <math.h>
#include <ucontext.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

// The part of CUDA's runtime that the library uses, on the CPU; see README.md.

#define __host__
#define __device__
#define __global__
#define __shared__ static  // one block at a time
#define __launch_bounds__(threads)

enum cudaError_t {
  cudaSuccess,
  cudaErrorMemoryAllocation,
  cudaErrorInvalidValue,
  cudaErrorNotReady
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
using cudaStream_t = void*;  // work is done when it is given
inline constexpr unsigned cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2;

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  dim3(unsigned of_x = 1) : x(of_x) {}
};
struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  std::size_t dynamicSmemBytes = 0;
  cudaStream_t stream = nullptr;
};

inline dim3 threadIdx(0), blockIdx(0), blockDim, gridDim;

inline const char* cudaGetErrorString(cudaError_t status) {
  return status == cudaErrorMemoryAllocation ? "out of memory" : "invalid argument";
}
inline cudaError_t cudaGetDeviceCount(int* count) { return *count = 1, cudaSuccess; }
inline cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaStreamQuery(cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t* made, unsigned) {
  return *made = new char, cudaSuccess;
}
inline cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  return delete static_cast<char*>(stream), cudaSuccess;
}
inline cudaError_t cudaFree(void* memory) { return std::free(memory), cudaSuccess; }

/// Memory of bytes 0xFF: NaN in every floating-point type.
template <class T>
cudaError_t cudaMalloc(T** memory, std::size_t bytes) {
  *memory = bytes >> 40 != 0 ? nullptr : static_cast<T*>(std::malloc(bytes));
  if (*memory == nullptr) return cudaErrorMemoryAllocation;
  std::memset(static_cast<void*>(*memory), 0xFF, bytes);
  return cudaSuccess;
}
inline cudaError_t cudaMallocHost(void** memory, std::size_t bytes) {
  return cudaMalloc(memory, bytes);
}
inline cudaError_t cudaFreeHost(void* memory) { return cudaFree(memory); }
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind,
                                   cudaStream_t) {
  if (bytes > 0) std::memcpy(to, from, bytes);
  return cudaSuccess;
}
inline cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t) {
  if (bytes > 0) std::memset(to, value, bytes);
  return cudaSuccess;
}

inline cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  return *free = *total = std::size_t{1} << 30, cudaSuccess;
}

/// A point in time.
struct cudaEventOf {
  std::chrono::steady_clock::time_point at;
};
using cudaEvent_t = cudaEventOf*;
inline cudaError_t cudaEventCreate(cudaEvent_t* made) {
  return *made = new cudaEventOf, cudaSuccess;
}
inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t* made, unsigned) {
  return cudaEventCreate(made);
}
inline cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) { return cudaSuccess; }
inline cudaError_t cudaEventDestroy(cudaEvent_t event) { return delete event, cudaSuccess; }
inline cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t) {
  return event->at = std::chrono::steady_clock::now(), cudaSuccess;
}
inline cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }
inline cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t begin, cudaEvent_t end) {
  *ms = std::chrono::duration<float, std::milli>(end->at - begin->at).count();
  return cudaSuccess;
}

namespace cuda_emulator {

/// Where a barrier is called. Not std::source_location, which clang 14 lacks with libstdc++.
struct Place {
  const char* file = nullptr;
  unsigned line = 0;
};

/// Runs the threads of a block one after another, each up to its next barrier.
class Block {
 public:
  static Block*& current() {
    static Block* block = nullptr;
    return block;
  }

  /// One block serves every launch with that number of threads: making its stacks takes longer than
  /// most kernels.
  static Block& of(unsigned threads) {
    static std::map<unsigned, Block> blocks;
    return blocks.try_emplace(threads, threads).first->second;
  }

  explicit Block(unsigned threads) : threads_(threads) {
    for (Thread& thread : threads_)
      thread.stack = std::make_unique_for_overwrite<char[]>(kStackBytes);
  }

  /// Sweeps run forwards and backwards in turn, `first_forwards` the first one.
  void run(const std::function<void()>& body, bool first_forwards) {
    body_ = &body;
    current() = this;
    for (Thread& thread : threads_) start(thread);
    for (bool forwards = first_forwards; sweep(forwards); forwards = !forwards) require_one_place();
    current() = nullptr;
  }

  /// Back to the sweep, from the barrier that is called at `place`.
  void wait(const Place& place) {
    threads_[running_].place = place;
    swapcontext(&threads_[running_].context, &scheduler_);
  }

 private:
  static constexpr std::size_t kStackBytes = std::size_t{64} << 10;

  struct Thread {
    ucontext_t context;
    std::unique_ptr<char[]> stack;
    Place place;  // of the barrier that it waits at
    bool done = false;
  };

  static void enter() {
    Block& block = *current();
    (*block.body_)();
    block.threads_[block.running_].done = true;
  }

  void start(Thread& thread) {
    thread.done = false;
    getcontext(&thread.context);
    thread.context.uc_stack.ss_sp = thread.stack.get();
    thread.context.uc_stack.ss_size = kStackBytes;
    thread.context.uc_link = &scheduler_;
    makecontext(&thread.context, &enter, 0);
  }

  /// True while a thread waits at a barrier.
  bool sweep(bool forwards) {
    bool waiting = false;
    for (std::size_t i = 0; i < threads_.size(); ++i) {
      running_ = forwards ? i : threads_.size() - 1 - i;
      if (threads_[running_].done) continue;
      threadIdx.x = static_cast<unsigned>(running_);
      swapcontext(&scheduler_, &threads_[running_].context);
      waiting = waiting || !threads_[running_].done;
    }
    return waiting;
  }

  void require_one_place() const {
    const Place* place = nullptr;
    for (const Thread& thread : threads_) {
      if (thread.done) continue;
      if (place != nullptr && !is_same(*place, thread.place)) {
        std::fprintf(stderr, "the threads of a block wait at different barriers\n");
        std::abort();
      }
      place = &thread.place;
    }
  }

  static bool is_same(const Place& a, const Place& b) {
    return a.line == b.line && std::strcmp(a.file, b.file) == 0;
  }

  std::vector<Thread> threads_;
  ucontext_t scheduler_;
  const std::function<void()>* body_ = nullptr;
  std::size_t running_ = 0;
};

}  // namespace cuda_emulator

inline void __syncthreads(const cuda_emulator::Place& place = {__builtin_FILE(),
                                                               __builtin_LINE()}) {
  cuda_emulator::Block::current()->wait(place);
}

inline unsigned long long atomicMin(unsigned long long* at, unsigned long long value) {
  const unsigned long long old = *at;
  if (value < old) *at = value;
  return old;
}

template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments&&... arguments) {
  if (config->gridDim.x == 0 || config->blockDim.x == 0 || config->blockDim.x > 1024)
    return cudaErrorInvalidValue;
  gridDim = config->gridDim;
  blockDim = config->blockDim;
  const std::function<void()> body = [&] { kernel(arguments...); };
  cuda_emulator::Block& block = cuda_emulator::Block::of(blockDim.x);
  for (unsigned b = 0; b < gridDim.x; ++b) {
    blockIdx.x = b;
    block.run(body, b % 2 == 0);
  }
  return cudaSuccess;
}
