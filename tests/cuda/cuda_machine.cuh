#pragma once

#include <memory>
#include <span>
#include <vector>

#include "dualagent/core/random.hpp"
#include "dualagent/cuda/buffer.cuh"
#include "dualagent/cuda/loops.cuh"
#include "dualagent/cuda/sampling.cuh"

namespace gpu = dualagent::gpu;

/// Arrays on the device that live as long as this.
class Device {
 public:
  template <class T>
  T* view(const std::vector<T>& values) {
    const auto buffer = std::make_shared<gpu::Buffer<T>>(std::span<const T>(values));
    arrays_.push_back(buffer);
    return buffer->data();
  }
  template <class T>
  std::vector<T> fetch(const T* view, std::size_t size) const {
    std::vector<T> values(size);
    gpu::check(
        cudaMemcpyAsync(values.data(), view, size * sizeof(T), cudaMemcpyDeviceToHost, nullptr),
        "cudaMemcpyAsync");
    gpu::check(cudaStreamSynchronize(nullptr), "cudaStreamSynchronize");
    return values;
  }

 private:
  std::vector<std::shared_ptr<void>> arrays_;
};

/// The machine of loop_cases.hpp on a device.
struct CudaMachine : Device {
  gpu::Loops loops;

  std::vector<dualagent::Token> sample(const std::vector<float>& logits, std::size_t vocab,
                                       const std::vector<dualagent::RandomStream>& random,
                                       const std::vector<float>& temperature) {
    gpu::RowFaults faults;
    const auto tokens = view(std::vector<dualagent::Token>(random.size(), -1));
    gpu::sample(gpu::dense(static_cast<const float*>(view(logits)), random.size(), vocab),
                {.random = view(random), .temperature = view(temperature)}, tokens, faults);
    return fetch(tokens, random.size());
  }
};
