#pragma once

#include <cuda_bf16.h>

#include <cstddef>
#include <type_traits>

#include "dualagent/cuda/check.cuh"

namespace dualagent::gpu {

using BFloat16 = __nv_bfloat16;

/// A matrix [rows, columns] on the device in somebody's memory; row r begins at data + r * stride.
template <class T>
struct Matrix {
  T* data = nullptr;
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::size_t stride = 0;  ///< elements from row to row, >= columns

  __host__ __device__ T* row(std::size_t r) const { return data + r * stride; }
};

/// A matrix whose rows follow one another.
template <class T>
Matrix<T> dense(T* data, std::size_t rows, std::size_t columns) {
  return {data, rows, columns, columns};
}

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
