#pragma once

#include <cuda_bf16.h>

#include <type_traits>

#include "dualagent/cuda/check.cuh"
#include "dualagent/kernels/matrix.inl"

namespace dualagent::gpu {

using BFloat16 = __nv_bfloat16;

using kernels::dense;
using kernels::Matrix;

__device__ inline float to_float(float x) { return x; }
__device__ inline float to_float(BFloat16 x) { return __bfloat162float(x); }

/// Rounds to nearest, ties to even.
template <class T>
__device__ T from_float(float x) {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, BFloat16>,
                "dualagent: matrices on a device hold float or BFloat16");
  if constexpr (std::is_same_v<T, float>) {
    return x;
  } else {
    return __float2bfloat16_rn(x);
  }
}

}  // namespace dualagent::gpu
