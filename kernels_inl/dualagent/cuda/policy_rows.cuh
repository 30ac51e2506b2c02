#pragma once

#include <cstddef>
#include <string>

#include "dualagent/core/types.hpp"
#include "dualagent/cuda/buffer.cuh"
#include "dualagent/cuda/launch.cuh"
#include "dualagent/trace/batch_columns.hpp"

namespace dualagent::gpu {

/// What each of T rows is trained on; the columns lie on the device.
struct PolicyRows {
  const Token* target = nullptr;       ///< [T] the token whose log-probability the loss is about
  const float* loss_weight = nullptr;  ///< [T] factor of the row's loss; 0 = masked
  const float* temperature = nullptr;  ///< [T] logits are divided by it; > 0. Null: 1

  __device__ float temperature_of(std::size_t t) const {
    return temperature == nullptr ? 1.0F : temperature[t];
  }
};

/// What can be wrong with a row.
enum class RowFault : unsigned { target, temperature, not_finite };

/// Collects faults that kernels find; the first row's is reported. In the host's memory: a check
/// that finds nothing copies nothing.
class RowFaults {
 public:
  /// Notes a fault of row t; for kernels, with the pointer that `begin` returned.
  __device__ static void note(unsigned long long* first, std::size_t t, RowFault fault) {
    atomicMin(first, 4ULL * t + static_cast<unsigned>(fault));
  }

  /// Forgets everything; work that is then given to `stream` may note faults.
  unsigned long long* begin(cudaStream_t stream) {
    first_.resize(1);
    dualagent::gpu::check(cudaMemsetAsync(first_.data(), 0xFF, sizeof(unsigned long long), stream),
                          "cudaMemsetAsync");
    return first_.data();
  }

  /// Waits for `stream`. Errors: Error that names the first row with a fault.
  void check(const std::string& where, cudaStream_t stream) const {
    dualagent::gpu::check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
    const unsigned long long first = *first_.data();
    if (first == ~0ULL) return;
    const std::string row = where + ", row " + std::to_string(first / 4);
    switch (static_cast<RowFault>(first % 4)) {
      case RowFault::target:
        throw Error("a target is not in the vocabulary", row);
      case RowFault::temperature:
        throw Error(
            "a temperature is not a number > 0, a loss weight is not finite, or a top_p or "
            "min_p is out of range",
            row);
      case RowFault::not_finite:
        throw Error("a policy loss is not finite", row,
                    "Look for NaN or infinity in the logits, then in the token loss");
    }
  }

 private:
  Buffer<unsigned long long, PinnedMemory> first_;
};

}  // namespace dualagent::gpu
