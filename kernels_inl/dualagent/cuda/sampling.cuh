#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cub/block/block_scan.cuh>

#include "dualagent/core/random.hpp"
#include "dualagent/cuda/policy_rows.cuh"
#include "dualagent/cuda/row_loops.cuh"
#include "dualagent/kernels/sampling.inl"

namespace dualagent::gpu {

/// How each of R rows is sampled; the columns lie on the device.
struct SamplingRows {
  const RandomStream* random = nullptr;    ///< [R] the row's stream
  const std::uint64_t* counter = nullptr;  ///< [R] which number of the stream; null: 0
  const float* temperature = nullptr;      ///< [R] logits are divided by it; 0: greedy. Null: 1
};

namespace detail {

/// The largest logit of a row and its index, in all threads.
template <class T>
__device__ kernels::ArgmaxState<float> argmax_of_row(const T* row, std::size_t n) {
  using Argmax = kernels::Argmax<float>;
  auto best = Argmax::identity();
  for (std::size_t v = threadIdx.x; v < n; v += kRowThreads)
    best = Argmax{}(best, {to_float(row[v]), v});
  using Reduce = cub::BlockReduce<Argmax::State, kRowThreads>;
  __shared__ typename Reduce::TempStorage storage;
  __shared__ Argmax::State shared;
  best = Reduce(storage).Reduce(best, Argmax{});
  if (threadIdx.x == 0) shared = best;
  __syncthreads();
  return shared;
}

/// Weights of the tokens of one row.
template <class T>
struct RowWeights {
  const T* row;
  std::size_t vocab;
  float top;
  float inverse_temperature;

  __device__ std::uint64_t operator()(std::size_t v) const {
    if (v >= vocab) return 0;
    const float z = (to_float(row[v]) - top) * inverse_temperature;
    return kernels::sampling_weight(kernels::portable_exp(z));
  }
};

/// Sum of all weights, in all threads.
template <class T>
__device__ std::uint64_t total_weight(const RowWeights<T>& weight) {
  std::uint64_t sum = 0;
  for (std::size_t v = threadIdx.x; v < weight.vocab; v += kRowThreads) sum += weight(v);
  using Reduce = cub::BlockReduce<std::uint64_t, kRowThreads>;
  __shared__ typename Reduce::TempStorage storage;
  __shared__ std::uint64_t total;
  sum = Reduce(storage).Sum(sum);
  if (threadIdx.x == 0) total = sum;
  __syncthreads();
  return total;
}

/// The first token whose weights up to itself exceed `wanted`; one thread writes it.
template <class T>
__device__ void find_token(const RowWeights<T>& weight, std::uint64_t wanted, Token* token) {
  constexpr int kNeighbours = 4;  // neighbours per thread
  using Scan = cub::BlockScan<std::uint64_t, kRowThreads>;
  __shared__ typename Scan::TempStorage storage;
  std::uint64_t before = 0;  // weights of the tiles before this one
  for (std::size_t begin = 0; begin < weight.vocab;
       begin += std::size_t{kNeighbours} * kRowThreads) {
    const std::size_t first = begin + std::size_t{kNeighbours} * threadIdx.x;
    std::uint64_t own = 0, below = 0, tile = 0;
    for (unsigned k = 0; k < kNeighbours; ++k) own += weight(first + k);
    Scan(storage).ExclusiveSum(own, below, tile);
    below += before;
    if (below <= wanted && wanted < below + own)
      for (unsigned k = 0; k < kNeighbours; ++k) {
        below += weight(first + k);
        if (below > wanted) {
          *token = static_cast<Token>(first + k);
          break;
        }
      }
    before += tile;
    if (before > wanted) return;
    __syncthreads();  // `storage` is used again
  }
}

template <class T>
__global__ void __launch_bounds__(kRowThreads)
    sample_kernel(Matrix<const T> logits, SamplingRows rows, Token* tokens,
                  unsigned long long* faults) {
  const std::size_t r = blockIdx.x;
  const float temperature = rows.temperature == nullptr ? 1.0F : rows.temperature[r];
  const bool wrong = !(temperature >= 0.0F) || !isfinite(temperature);
  const auto top = argmax_of_row(logits.row(r), logits.columns);
  const bool greedy = temperature == 0.0F;
  if (wrong || !isfinite(top.value)) {
    if (threadIdx.x == 0)
      RowFaults::note(faults, r, wrong ? RowFault::temperature : RowFault::not_finite);
    return;
  }
  if (greedy) {
    if (threadIdx.x == 0) tokens[r] = static_cast<Token>(top.index);
    return;
  }
  const RowWeights<T> weight{logits.row(r), logits.columns, top.value, 1.0F / temperature};
  const std::uint64_t counter = rows.counter == nullptr ? 0 : rows.counter[r];
  const std::uint64_t wanted =
      kernels::multiply_high(rows.random[r].bits(counter), total_weight(weight));
  find_token(weight, wanted, &tokens[r]);
}

}  // namespace detail

/// Draws a token from each of R rows of logits; the same tokens as cpu::sample from the same logits
/// and bits, whatever the device.
///
/// T is float or BFloat16. Tokens less probable than 2^-32 of the most probable one, and tokens
/// with a logit of -infinity or NaN, are never drawn. Temperature 0 takes the largest logit, the
/// first of equal ones. tokens [R] on the device. Waits for the result. Errors: Error that names
/// the first row whose logits hold +infinity or nothing but NaN and -infinity, or whose temperature
/// is not a number >= 0.
template <class T>
void sample(const Matrix<const T>& logits, const SamplingRows& rows, Token* tokens,
            RowFaults& faults, cudaStream_t stream = nullptr) {
  if (logits.rows == 0) return;
  unsigned long long* const first = faults.begin(stream);
  launch("sample", detail::sample_kernel<T>, logits.rows, kRowThreads, stream, logits, rows, tokens,
         first);
  faults.check("gpu::sample", stream);
}

}  // namespace dualagent::gpu
