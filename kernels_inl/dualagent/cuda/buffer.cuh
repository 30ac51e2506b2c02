#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "dualagent/cuda/check.cuh"

namespace dualagent::gpu {

/// Numbers on the device in somebody's memory.
template <class T>
class DeviceSpan {
 public:
  using value_type = T;
  DeviceSpan(T* data, std::size_t size) : data_(data), size_(size) {}
  T* data() const { return data_; }
  std::size_t size() const { return size_; }
  DeviceSpan subspan(std::size_t begin, std::size_t count) const { return {data_ + begin, count}; }

 private:
  T* data_;
  std::size_t size_;
};

/// Where a Buffer lies.
struct DeviceMemory {
  static cudaError_t allocate(void** data, std::size_t bytes) { return cudaMalloc(data, bytes); }
  static void free(void* data) { cudaFree(data); }
};
/// Of the host and page-locked: kernels may write to it, and the host reads it without a copy.
struct PinnedMemory {
  static cudaError_t allocate(void** data, std::size_t bytes) {
    return cudaMallocHost(data, bytes);
  }
  static void free(void* data) { cudaFreeHost(data); }
};

/// Memory for `size()` numbers, by default of the device; the only owner of such memory in the
/// library.
///
/// Grows and never shrinks, so that a buffer that is kept between steps allocates once. Movable,
/// not copyable. Errors: Error of the CUDA call that failed.
template <class T, class Memory = DeviceMemory>
class Buffer {
  static_assert(std::is_trivially_copyable_v<T>,
                "dualagent: only trivially copyable values cross to the device");

 public:
  Buffer() = default;
  explicit Buffer(std::size_t size) { resize(size); }
  explicit Buffer(std::span<const T> values) { upload(values); }
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Buffer() { Memory::free(data_); }

  T* data() { return data_; }
  const T* data() const { return data_; }
  std::size_t size() const { return size_; }
  DeviceSpan<T> span() { return {data_, size_}; }

  /// The contents are undefined afterwards.
  void resize(std::size_t size) {
    if (size > capacity_) {
      Memory::free(std::exchange(data_, nullptr));
      size_ = capacity_ = 0;
      void* data = nullptr;
      check(Memory::allocate(&data, size * sizeof(T)),
            "cudaMalloc of " + std::to_string(size * sizeof(T)) + " bytes");
      data_ = static_cast<T*>(data);
      capacity_ = size;
    }
    size_ = size;
  }

  /// Copies in; waits for work on `stream` that was given before.
  void upload(std::span<const T> values, cudaStream_t stream = nullptr) {
    resize(values.size());
    check(
        cudaMemcpyAsync(data_, values.data(), values.size_bytes(), cudaMemcpyHostToDevice, stream),
        "cudaMemcpyAsync to the device");
    check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
  }

  /// Copies out, after all work on `stream` that was given before.
  std::vector<T> download(cudaStream_t stream = nullptr) const {
    std::vector<T> values(size_);
    download(std::span(values), stream);
    return values;
  }
  /// The same to `size()` numbers of the host. Errors: Error if there are more or fewer.
  void download(std::span<T> to, cudaStream_t stream = nullptr) const {
    if (to.size() != size_)
      throw Error(
          std::to_string(size_) + " numbers were to be copied to " + std::to_string(to.size()),
          "gpu::Buffer::download");
    check(cudaMemcpyAsync(to.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost, stream),
          "cudaMemcpyAsync to the host");
    check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
  }

 private:
  void swap(Buffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }

  T* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace dualagent::gpu
