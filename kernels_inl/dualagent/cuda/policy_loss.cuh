#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "dualagent/cuda/log_prob.cuh"
#include "dualagent/kernels/token_loss.inl"

namespace dualagent::gpu {

namespace detail {

/// What the second pass over a row needs of the first.
struct RowGradient {
  float inverse_temperature;
  float max;  ///< log p = z - max - log_sum
  float log_sum;
  float entropy;
  float d_log_prob;  ///< of weight * loss / temperature
  float d_entropy;
  std::uint32_t target;

  __device__ float operator()(std::size_t v, float logit) const {
    const float log_p = logit * inverse_temperature - max - log_sum;
    return kernels::logit_gradient(kernels::exp_of_negative(log_p), log_p, entropy,
                                   static_cast<std::uint32_t>(v) == target, d_log_prob, d_entropy);
  }
};

/// The user's loss of row t, by one thread; false if something is not finite.
template <class Loss>
__device__ bool differentiate_token(const PolicyRows& rows, std::size_t t, const Loss& loss,
                                    const kernels::SoftmaxState<float>& state, float log_prob,
                                    float entropy, const PolicyOutputs& out, RowGradient& row) {
  const kernels::TokenGradient<float> gradient = loss(t, log_prob, entropy);
  const float inverse_temperature = 1.0F / rows.temperature_of(t);
  const float weight = rows.loss_weight[t] * inverse_temperature;
  row = {inverse_temperature,
         state.max,
         state.log_sum(),
         entropy,
         weight * gradient.d_log_prob,
         weight * gradient.d_entropy,
         static_cast<std::uint32_t>(rows.target[t])};
  if (out.log_prob != nullptr) out.log_prob[t] = log_prob;
  if (out.entropy != nullptr) out.entropy[t] = entropy;
  if (out.loss != nullptr) out.loss[t] = gradient.value;
  return isfinite(gradient.value + gradient.d_log_prob + gradient.d_entropy);
}

/// One block per row. Row r of the logits is row t = index[r] of the user's, or r without an index.
template <class Gradient, class T, class Loss>
__global__ void __launch_bounds__(kRowThreads)
    policy_loss_kernel(Matrix<T> logits, const std::size_t* index, PolicyRows rows, Loss loss,
                       PolicyOutputs out, unsigned long long* faults) {
  const std::size_t r = blockIdx.x;
  const std::size_t t = index == nullptr ? r : index[r];
  T* const row = logits.row(r);
  __shared__ RowGradient gradient;
  __shared__ bool trained;
  kernels::SoftmaxState<float> state;
  float log_prob = 0, entropy = 0;
  bool good = kernels::is_trained(rows.loss_weight[t]);  // the same in all threads
  if (good) good = predict(row, logits.columns, rows, t, state, log_prob, entropy, faults);
  if (threadIdx.x == 0) {
    trained = good;
    if (good && !differentiate_token(rows, t, loss, state, log_prob, entropy, out, gradient)) {
      RowFaults::note(faults, t, RowFault::not_finite);
      trained = false;
    }
  }
  __syncthreads();
  const bool write = trained;
  const RowGradient at = gradient;
  const auto d_logit = [&](std::size_t v, float logit) { return write ? at(v, logit) : 0.0F; };
  if constexpr (std::is_same_v<Gradient, T>) {
    rewrite_row(row, logits.columns, d_logit);
  } else {
    narrow_row<Gradient>(row, logits.columns, d_logit);
  }
}

}  // namespace detail

/// A policy loss on logits, forward and backward: the gradient is written over the logits; the
/// device's policy_loss_on_logits of model/policy_loss.hpp.
///
/// `loss(t, log_prob, entropy)` returns a kernels::TokenGradient<float>; it is a function object
/// whose call operator is __device__ or constexpr, e.g. a loops::ColumnLoss of any objective, and
/// is inlined. Row t becomes d(loss_weight_t * loss_t) / d(l_t), as T. T is float or BFloat16; sums
/// and exponentials are float.
/// Masking: the gradient of a row of weight 0 is exactly 0, its outputs stay.
/// Memory: none of the logits' size. Time: reads the logits twice and writes them once. Waits for
/// the result. Determinism: equal inputs give equal bits.
/// Errors: as gpu::log_prob, and if the loss or a derivative is not finite; the gradient of such a
/// row is 0.
template <class T, class Loss>
void policy_loss_on_logits(const Matrix<T>& logits, const PolicyRows& rows, const Loss& loss,
                           const PolicyOutputs& out, RowFaults& faults,
                           cudaStream_t stream = nullptr) {
  if (logits.rows == 0) return;
  unsigned long long* const first = faults.begin(stream);
  launch("policy_loss", detail::policy_loss_kernel<T, T, Loss>, logits.rows, kRowThreads, stream,
         logits, static_cast<const std::size_t*>(nullptr), rows, loss, out, first);
  faults.check("gpu::policy_loss_on_logits", stream);
}

}  // namespace dualagent::gpu
