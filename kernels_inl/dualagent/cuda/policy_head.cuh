#pragma once

#include <thrust/iterator/counting_iterator.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cub/device/device_select.cuh>
#include <string>
#include <type_traits>

#include "dualagent/cuda/gemm.cuh"
#include "dualagent/cuda/loops.cuh"
#include "dualagent/cuda/policy_loss.cuh"

namespace dualagent::gpu {

/// Hidden states, the head, and where their gradients go, all on the device. T rows, V tokens, D
/// width; row-major without gaps.
template <class T>
struct PolicyHead {
  std::size_t rows = 0;        ///< T
  std::size_t vocab = 0;       ///< V
  std::size_t width = 0;       ///< D
  const T* hidden = nullptr;   ///< [T, D] that the head is multiplied with
  const T* weights = nullptr;  ///< [V, D]
  float* d_hidden = nullptr;   ///< [T, D] overwritten
  float* d_weights = nullptr;  ///< [V, D] added to
};

struct PolicyHeadOptions {
  /// Trained rows whose logits exist at a time. Every chunk reads and writes d_weights once, so
  /// that more rows cost memory and save time.
  std::size_t chunk_rows = 752;
};

namespace detail {

struct IsTrained {
  const float* loss_weight;
  __host__ __device__ bool operator()(std::size_t t) const {
    return kernels::is_trained(loss_weight[t]);
  }
};

/// to[r] = from[index[r]], one block per row.
template <class T>
__global__ void gather_rows_kernel(const T* from, const std::size_t* index, std::size_t width,
                                   T* to) {
  const std::size_t r = blockIdx.x, source = index[r];
  for (std::size_t i = threadIdx.x; i < width; i += blockDim.x)
    to[r * width + i] = from[source * width + i];
}

/// to[index[r]] = from[r], one block per row.
template <class T>
__global__ void scatter_rows_kernel(const T* from, const std::size_t* index, std::size_t width,
                                    T* to) {
  const std::size_t r = blockIdx.x, target = index[r];
  for (std::size_t i = threadIdx.x; i < width; i += blockDim.x)
    to[target * width + i] = from[r * width + i];
}

}  // namespace detail

/// A policy loss from hidden states through the head, forward and backward, on a device: the logits
/// [T, V] never exist whole. T is float or BFloat16; the device's policy_head_loss of
/// model/policy_head.hpp.
///
/// Row t has logits W h_t; its loss, masking and errors are those of gpu::policy_loss_on_logits.
/// With BFloat16 the products' inputs are BFloat16, the gradient of the logits among them, and
/// their sums float. Logit is the type that logits are rounded to before log-probability, entropy
/// and loss see them: float, or BFloat16 as in a bfloat16 model of other frameworks, in half of the
/// memory and less time; a log-probability is then off by up to 2^-9 of the largest logits.
/// Masked rows cost nothing; their d_hidden is 0.
/// Memory beyond the arguments, in bytes: chunk_rows * (sizeof(Logit) V + (4 + sizeof(T)) D) + 8 T
/// + 8 MiB, kept between calls.
/// Determinism: equal inputs give equal bits on one kind of device with one version of cuBLAS.
/// Example: PolicyHeadLoss<BFloat16> head_loss;  head_loss(head, rows, loss, outputs);
template <class T, class Logit = float>
class PolicyHeadLoss {
  static_assert(std::is_same_v<Logit, float> || std::is_same_v<Logit, T>,
                "dualagent: logits are float or of the hidden states' type");

 public:
  explicit PolicyHeadLoss(const PolicyHeadOptions& options = {}, cudaStream_t stream = nullptr)
      : options_(options), loops_(stream) {
    if (options.chunk_rows == 0)
      throw Error("chunk_rows must be at least 1", "gpu::PolicyHeadLoss");
  }

  /// Waits for the result. Errors: as gpu::policy_loss_on_logits; d_hidden and d_weights are then
  /// incomplete.
  template <class Loss>
  void operator()(const PolicyHead<T>& head, const PolicyRows& rows, const Loss& loss,
                  const OutputColumns& out) {
    if (head.rows == 0) return;
    const cudaStream_t stream = loops_.stream();
    check(cudaMemsetAsync(head.d_hidden, 0, head.rows * head.width * sizeof(float), stream),
          "cudaMemsetAsync");
    const std::size_t trained = select_trained(head.rows, rows.loss_weight);
    const std::size_t chunk = std::min(options_.chunk_rows, head.rows);
    hidden_.resize(chunk * head.width);
    d_hidden_.resize(chunk * head.width);
    logits_.resize(chunk * stride_of(head));
    unsigned long long* const faults = faults_.begin(stream);
    for (std::size_t begin = 0; begin < trained; begin += chunk) {
      const std::size_t* const index = index_.data() + begin;
      const std::size_t count = std::min(chunk, trained - begin);
      gather(head, index, count);
      const Matrix<Logit> logits = forward(head, count);
      launch("policy_loss", detail::policy_loss_kernel<T, Logit, Loss>, count, kPolicyLossThreads,
             stream, logits, index, rows, loss, out, faults);
      backward(head, logits, index);
    }
    faults_.check("gpu::PolicyHeadLoss", stream);
  }

 private:
  /// Indices of the trained rows to index_, in their order; returns their number.
  std::size_t select_trained(std::size_t rows, const float* loss_weight) {
    index_.resize(rows);
    selected_.resize(1);
    const cudaStream_t stream = loops_.stream();
    const auto run = [&](void* scratch, std::size_t& bytes) {
      return cub::DeviceSelect::If(scratch, bytes, thrust::make_counting_iterator(std::size_t{0}),
                                   index_.data(), selected_.data(), static_cast<std::int64_t>(rows),
                                   detail::IsTrained{loss_weight}, stream);
    };
    detail::with_scratch(scratch_, run, "cub::DeviceSelect::If");
    return static_cast<std::size_t>(selected_.download(stream).front());
  }

  void gather(const PolicyHead<T>& head, const std::size_t* index, std::size_t count) {
    launch("gather", detail::gather_rows_kernel<T>, count, kRowThreads, loops_.stream(),
           head.hidden, index, head.width, hidden_.data());
  }

  /// Logits from row to row: a multiple of 16 bytes for every type, as cuBLAS likes it.
  static std::size_t stride_of(const PolicyHead<T>& head) { return (head.vocab + 7) / 8 * 8; }

  /// Logits of the gathered rows.
  Matrix<Logit> forward(const PolicyHead<T>& head, std::size_t count) {
    const Matrix<Logit> logits{logits_.data(), count, head.vocab, stride_of(head)};
    gemm_(dense(static_cast<const T*>(hidden_.data()), count, head.width), Layout::plain,
          dense(head.weights, head.vocab, head.width), Layout::transposed, logits, Store::replace,
          loops_.stream());
    return logits;
  }

  /// From gradients over the logits (as T): d_weights += G^T H, d_hidden = G W.
  void backward(const PolicyHead<T>& head, const Matrix<Logit>& logits, const std::size_t* index) {
    const Matrix<const T> gradient{reinterpret_cast<const T*>(logits.data), logits.rows,
                                   logits.columns, logits.stride * sizeof(Logit) / sizeof(T)};
    const Matrix<const T> hidden =
        dense(static_cast<const T*>(hidden_.data()), logits.rows, head.width);
    gemm_(gradient, Layout::transposed, hidden, Layout::plain,
          dense(head.d_weights, head.vocab, head.width), Store::accumulate, loops_.stream());
    gemm_(gradient, Layout::plain, dense(head.weights, head.vocab, head.width), Layout::plain,
          dense(d_hidden_.data(), logits.rows, head.width), Store::replace, loops_.stream());
    launch("scatter", detail::scatter_rows_kernel<float>, logits.rows, kRowThreads, loops_.stream(),
           d_hidden_.data(), index, head.width, head.d_hidden);
  }

  PolicyHeadOptions options_;
  Loops loops_;
  Gemm gemm_;
  RowFaults faults_;
  Buffer<unsigned char> scratch_;
  Buffer<std::size_t> index_;      // [T] rows that are trained
  Buffer<std::int64_t> selected_;  // [1] their number
  Buffer<T> hidden_;               // [chunk, D]
  Buffer<Logit> logits_;           // [chunk, stride]
  Buffer<float> d_hidden_;         // [chunk, D]
};

}  // namespace dualagent::gpu
