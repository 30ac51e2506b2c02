#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include "dualagent/cuda/buffer.cuh"
#include "dualagent/cuda/check.cuh"

namespace dualagent::gpu {

/// Starts `kernel(arguments...)` on `blocks` blocks of `threads` threads; returns before it is
/// done. Errors: Error that names the kernel. Example: launch("scale", scale, 8, 256, stream, x, n)
template <class... Parameters, class... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), std::size_t blocks,
            std::size_t threads, cudaStream_t stream, Arguments&&... arguments) {
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(static_cast<unsigned>(blocks));
  config.blockDim = dim3(static_cast<unsigned>(threads));
  config.stream = stream;
  check(cudaLaunchKernelEx(&config, kernel, std::forward<Arguments>(arguments)...),
        std::string("launch of ") + name);
}

namespace detail {

/// Runs a CUB algorithm as CUB wants it: first asked for its scratch memory, then given it.
template <class Run>
void with_scratch(Buffer<unsigned char>& scratch, const Run& run, const char* call) {
  std::size_t bytes = 0;
  check(run(nullptr, bytes), call);
  scratch.resize(bytes + 1);  // a null pointer would ask again
  check(run(scratch.data(), bytes), call);
}

}  // namespace detail

}  // namespace dualagent::gpu
