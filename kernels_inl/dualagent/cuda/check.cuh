#pragma once

#if !defined(__CUDACC__)
#error "dualagent: headers of dualagent/cuda are for nvcc; compile this file as CUDA"
#endif

#include <cuda_runtime.h>

#include <string>

#include "dualagent/core/error.hpp"

namespace dualagent::gpu {

/// Throws Error that names the call, CUDA's words for its status and what to do.
/// Example: check(cudaMalloc(&p, bytes), "cudaMalloc");
inline void check(cudaError_t status, const std::string& call) {
  if (status == cudaSuccess) return;
  const bool memory = status == cudaErrorMemoryAllocation;
  throw Error("CUDA says: " + std::string(cudaGetErrorString(status)), call,
              memory ? "Use smaller batches, or free memory of the device"
                     : "Run under compute-sanitizer to find the first wrong access");
}

/// Number of devices that can be used; 0 where there is no driver.
inline int device_count() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}

}  // namespace dualagent::gpu
