#pragma once

#include <cstdint>

#include "cuda_runtime.h"

namespace cub {

struct DeviceSelect {
  /// Copies what `wanted` accepts, in its order, and says how many they were.
  template <class In, class Out, class Predicate>
  static cudaError_t If(void* scratch, std::size_t& bytes, In in, Out out, std::int64_t* selected,
                        std::int64_t count, Predicate wanted, cudaStream_t) {
    if (scratch == nullptr) return bytes = 1, cudaSuccess;
    *selected = 0;
    for (std::int64_t i = 0; i < count; ++i)
      if (wanted(in[i])) out[(*selected)++] = in[i];
    return cudaSuccess;
  }
};

}  // namespace cub
