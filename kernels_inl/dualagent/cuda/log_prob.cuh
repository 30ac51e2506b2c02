#pragma once

#include <cmath>
#include <cstddef>

#include "dualagent/cuda/policy_rows.cuh"
#include "dualagent/cuda/row_loops.cuh"
#include "dualagent/kernels/mask.inl"

namespace dualagent::gpu {

namespace detail {

/// What a row says of its target; whole in thread 0 only.
struct RowPrediction {
  kernels::SoftmaxState<float> state;
  float scale;     ///< bits per logit
  float log_prob;  ///< nats
  float entropy;   ///< nats

  __device__ kernels::TokenPrediction<float> prediction() const { return {log_prob, entropy, 0}; }
};

/// The prediction of row t, by all threads of a block. Notes faults; false if there was one.
template <int kThreads, class T>
__device__ bool predict(const T* row, std::size_t vocab, const PolicyRows& rows, std::size_t t,
                        RowPrediction& made, unsigned long long* faults) {
  const float temperature = rows.temperature_of(t);
  made.scale = kernels::kBitsPerNat<float> / temperature;
  made.state = softmax_of_row<kThreads>(row, vocab, made.scale);
  if (threadIdx.x != 0) return true;
  const bool known = rows.target[t] >= 0 && static_cast<std::size_t>(rows.target[t]) < vocab;
  if (!known) return RowFaults::note(faults, t, RowFault::target), false;
  if (!(temperature > 0.0F) || !isfinite(made.scale) || !isfinite(rows.loss_weight[t]))
    return RowFaults::note(faults, t, RowFault::temperature), false;
  const float bits = std::fma(to_float(row[rows.target[t]]), made.scale, -made.state.max);
  made.log_prob = kernels::kNatsPerBit<float> * (bits - made.state.log_sum());
  made.entropy = made.state.entropy();
  if (!isfinite(made.state.sum) || !isfinite(made.state.log_sum()))
    return RowFaults::note(faults, t, RowFault::not_finite), false;
  return true;
}

template <class T>
__global__ void __launch_bounds__(kRowThreads)
    log_prob_kernel(Matrix<const T> logits, PolicyRows rows, OutputColumns out,
                    unsigned long long* faults) {
  const std::size_t t = blockIdx.x;
  if (!kernels::is_trained(rows.loss_weight[t])) return;
  RowPrediction row;
  const bool good = predict<kRowThreads>(logits.row(t), logits.columns, rows, t, row, faults);
  if (threadIdx.x != 0 || !good) return;
  out.write(t, row.prediction());
}

}  // namespace detail

/// Log-probability of each row's target, and the entropy of each row, in one pass over the logits.
///
/// Row t with logits l_t [V]: z = l_t / temperature_t, log p = log-softmax(z), in float whatever T
/// is. T is float or BFloat16; one read of the logits, nothing else of their size. Masked rows are
/// not read, their outputs stay. Waits for the result.
/// Errors: Error that names the first row whose target is outside of [0, V), whose temperature is
/// not > 0, or whose logits hold NaN or +infinity or nothing but -infinity.
template <class T>
void log_prob(const Matrix<const T>& logits, const PolicyRows& rows, const OutputColumns& out,
              RowFaults& faults, cudaStream_t stream = nullptr) {
  if (logits.rows == 0) return;
  unsigned long long* const first = faults.begin(stream);
  launch("log_prob", detail::log_prob_kernel<T>, logits.rows, kRowThreads, stream, logits, rows,
         out, first);
  faults.check("gpu::log_prob", stream);
}

}  // namespace dualagent::gpu
