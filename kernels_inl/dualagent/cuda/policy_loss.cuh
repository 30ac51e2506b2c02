#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "dualagent/cuda/log_prob.cuh"
#include "dualagent/kernels/token_loss.inl"

namespace dualagent::gpu {

/// Threads of a block that reads a row twice; faster than kRowThreads on an H200.
inline constexpr int kPolicyLossThreads = 512;

namespace detail {

/// What the second pass over a row needs of the first. With z = scale * logit - max in bits and
/// e = 2^z, the gradient of every token is -e (constant + slope z): kernels::logit_gradient with
/// the row's factors taken out. The target's has a term more.
struct RowGradient {
  float scale;  ///< bits per logit
  float max;    ///< bits
  float constant, slope;
  float of_target;
  std::size_t target;

  __device__ float z(float logit) const { return std::fma(logit, scale, -max); }
  /// Where the loss does not depend on the entropy, and the slope is 0.
  __device__ float without_slope(float logit) const {
    return -constant * kernels::exp2_of_negative(z(logit));
  }
  __device__ float operator()(float logit) const {
    const float e = kernels::exp2_of_negative(z(logit));
    return e == 0.0F ? 0.0F : -e * (constant + slope * z(logit));
  }
};

/// The gradient of `weight` times a loss with these derivatives, with respect to a row's logits.
__device__ inline RowGradient row_gradient(const RowPrediction& row, std::size_t target,
                                           float temperature, float d_log_prob, float d_entropy) {
  const float along = d_log_prob / temperature, across = d_entropy / temperature;
  const float nats_of_sum = kernels::kNatsPerBit<float> * row.state.log_sum();
  return {row.scale,
          row.state.max,
          (along + across * (row.entropy - nats_of_sum)) / row.state.sum,
          across * kernels::kNatsPerBit<float> / row.state.sum,
          kernels::logit_gradient(std::exp(row.log_prob), row.log_prob, row.entropy, true, along,
                                  across),
          target};
}

/// The user's loss of row t, by one thread; false if something is not finite.
template <class Loss>
__device__ bool differentiate_token(const PolicyRows& rows, std::size_t t, const Loss& loss,
                                    const RowPrediction& row, const OutputColumns& out,
                                    RowGradient& made) {
  const kernels::TokenGradient<float> gradient = loss(t, row.prediction());
  const float weight = rows.loss_weight[t];
  made = row_gradient(row, static_cast<std::size_t>(rows.target[t]), rows.temperature_of(t),
                      weight * gradient.d_log_prob, weight * gradient.d_entropy);
  out.write(t, row.prediction());
  out.write(t, gradient);
  return isfinite(gradient.value + gradient.d_log_prob + gradient.d_entropy);
}

/// map(x) over every number x of a row, as Out.
template <class Out, class T, class Map>
__device__ void replace_row(T* row, std::size_t n, Map&& map) {
  if constexpr (std::is_same_v<Out, T>) {
    rewrite_row<kPolicyLossThreads>(row, n, map);
  } else {
    narrow_row<kPolicyLossThreads, Out>(row, n, map);
  }
}

/// One block per row. Row r of the logits is row t = index[r] of the user's, or r without an index.
template <class Gradient, class T, class Loss>
__global__ void __launch_bounds__(kPolicyLossThreads)
    policy_loss_kernel(Matrix<T> logits, const std::size_t* index, PolicyRows rows, Loss loss,
                       OutputColumns out, unsigned long long* faults) {
  const std::size_t r = blockIdx.x, n = logits.columns;
  const std::size_t t = index == nullptr ? r : index[r];
  T* const row = logits.row(r);
  __shared__ RowGradient gradient;
  __shared__ bool trained;
  RowPrediction made;
  bool good = kernels::is_trained(rows.loss_weight[t]);  // the same in all threads
  if (good) good = predict<kPolicyLossThreads>(row, n, rows, t, made, faults);
  if (threadIdx.x == 0) {
    trained = good;
    if (good && !differentiate_token(rows, t, loss, made, out, gradient)) {
      RowFaults::note(faults, t, RowFault::not_finite);
      trained = false;
    }
  }
  __syncthreads();
  if (!trained) {
    replace_row<Gradient>(row, n, [](float) { return 0.0F; });
    return;
  }
  const RowGradient at = gradient;
  if (at.slope == 0.0F) {
    replace_row<Gradient>(row, n, [&](float logit) { return at.without_slope(logit); });
  } else {
    replace_row<Gradient>(row, n, at);
  }
  __syncthreads();
  if (threadIdx.x == 0)
    reinterpret_cast<Gradient*>(row)[at.target] = from_float<Gradient>(at.of_target);
}

}  // namespace detail

/// A policy loss on logits, forward and backward: the gradient is written over the logits; the
/// device's policy_loss_on_logits of model/policy_loss.hpp.
///
/// `loss(t, kernels::TokenPrediction<float>)` returns a kernels::TokenGradient<float>; it is a
/// function object whose call operator is __device__ or constexpr, e.g. a loops::ColumnLoss of any
/// objective, and is inlined; the prediction's value is 0. Row t becomes d(loss_weight_t * loss_t)
/// / d(l_t), as T. T is float or BFloat16; sums and exponentials are float. Masking: the gradient
/// of a row of weight 0 is exactly 0, its outputs stay. Memory: none of the logits' size. Time:
/// reads the logits twice and writes them once. Waits for the result. Determinism: equal inputs
/// give equal bits. Errors: as gpu::log_prob, and if the loss or a derivative is not finite; the
/// gradient of such a row is 0.
template <class T, class Loss>
void policy_loss_on_logits(const Matrix<T>& logits, const PolicyRows& rows, const Loss& loss,
                           const OutputColumns& out, RowFaults& faults,
                           cudaStream_t stream = nullptr) {
  if (logits.rows == 0) return;
  unsigned long long* const first = faults.begin(stream);
  launch("policy_loss", detail::policy_loss_kernel<T, T, Loss>, logits.rows, kPolicyLossThreads,
         stream, logits, static_cast<const std::size_t*>(nullptr), rows, loss, out, first);
  faults.check("gpu::policy_loss_on_logits", stream);
}

}  // namespace dualagent::gpu
