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
  // What is left out before a token is drawn, as cpu::leave_out does. Null: nothing.
  const std::size_t* top_k = nullptr;  ///< [R] how many of the most probable tokens stay; 0: all
  const float* top_p = nullptr;        ///< [R] in (0, 1]; 1: all stay
  const float* min_p = nullptr;        ///< [R] in [0, 1]; 0: all stay
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

/// Weights of the tokens of one row; 0 for those below `least`.
template <class T>
struct RowWeights {
  const T* row;
  std::size_t vocab;
  float top;
  float inverse_temperature;
  std::uint64_t least = 1;

  __device__ std::uint64_t operator()(std::size_t v) const {
    if (v >= vocab) return 0;
    const float z = (to_float(row[v]) - top) * inverse_temperature;
    const std::uint64_t weight = kernels::sampling_weight(kernels::portable_exp(z));
    return weight >= least ? weight : 0;
  }
};

/// What is summed over the tokens of a row.
enum class Amount : std::uint8_t { weights, tokens };

/// Sum over the tokens whose weight is at least `weight.least`, in all threads.
template <class T>
__device__ std::uint64_t sum_of_row(const RowWeights<T>& weight, Amount amount) {
  std::uint64_t sum = 0;
  for (std::size_t v = threadIdx.x; v < weight.vocab; v += kRowThreads) {
    const std::uint64_t w = weight(v);
    sum += amount == Amount::weights ? w : std::uint64_t{w != 0};
  }
  using Reduce = cub::BlockReduce<std::uint64_t, kRowThreads>;
  __shared__ typename Reduce::TempStorage storage;
  __shared__ std::uint64_t total;
  sum = Reduce(storage).Sum(sum);
  if (threadIdx.x == 0) total = sum;
  __syncthreads();
  return total;
}

/// The largest weight w such that the sum over all weights v >= w reaches `goal` >= 1, 0 where it
/// never does, in all threads: bit by bit from the highest of 33, one pass over the row for each.
template <class T>
__device__ std::uint64_t select_weight(RowWeights<T> weight, Amount amount, std::uint64_t goal) {
  std::uint64_t found = 0;
  for (int bit = 32; bit >= 0; --bit) {
    weight.least = found | std::uint64_t{1} << static_cast<unsigned>(bit);
    if (sum_of_row(weight, amount) >= goal) found = weight.least;
  }
  return found;
}

__device__ inline std::uint64_t larger(std::uint64_t a, std::uint64_t b) { return a < b ? b : a; }

/// The least weight that top-k, top-p and min-p leave, in this order, each on what the one before
/// it has left; the order and the integers of cpu::leave_out.
template <class T>
__device__ std::uint64_t least_left(RowWeights<T> weight, std::size_t top_k, float top_p,
                                    float min_p) {
  if (top_k > 0 && top_k < weight.vocab)
    weight.least = larger(weight.least, select_weight(weight, Amount::tokens, top_k));
  if (top_p < 1.0F) {
    const std::uint64_t goal = kernels::fraction_of(top_p, sum_of_row(weight, Amount::weights));
    weight.least = larger(weight.least, select_weight(weight, Amount::weights, goal));
  }
  return larger(weight.least, static_cast<std::uint64_t>(std::ceil(double{min_p} * 4294967296.0)));
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
  const std::size_t top_k = rows.top_k == nullptr ? 0 : rows.top_k[r];
  const float top_p = rows.top_p == nullptr ? 1.0F : rows.top_p[r];
  const float min_p = rows.min_p == nullptr ? 0.0F : rows.min_p[r];
  const bool wrong = !(temperature >= 0.0F) || !isfinite(temperature) || !(top_p > 0.0F) ||
                     top_p > 1.0F || !(min_p >= 0.0F) || min_p > 1.0F;
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
  RowWeights<T> weight{logits.row(r), logits.columns, top.value, 1.0F / temperature};
  weight.least = least_left(weight, top_k, top_p, min_p);
  const std::uint64_t counter = rows.counter == nullptr ? 0 : rows.counter[r];
  const std::uint64_t wanted =
      kernels::multiply_high(rows.random[r].bits(counter), sum_of_row(weight, Amount::weights));
  find_token(weight, wanted, &tokens[r]);
}

}  // namespace detail

/// Draws a token from each of R rows of logits; the same tokens as cpu::sample, after
/// cpu::leave_out where a row leaves out tokens, from the same logits and bits, whatever the
/// device.
///
/// T is float or BFloat16. Tokens less probable than 2^-32 of the most probable one, and tokens
/// with a logit of -infinity or NaN, are never drawn. Temperature 0 takes the largest logit, the
/// first of equal ones. tokens [R] on the device. Waits for the result. Errors: Error that names
/// the first row whose logits hold +infinity or nothing but NaN and -infinity, whose temperature is
/// not a number >= 0, or whose top_p or min_p is out of range.
/// Cost: a row is read 3 times, and 33 times more for each of top-k and top-p.
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
