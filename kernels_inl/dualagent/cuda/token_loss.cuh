#pragma once

#include <cstddef>

#include "dualagent/cuda/loops.cuh"
#include "dualagent/kernels/mask.inl"
#include "dualagent/kernels/token_loss.inl"

namespace dualagent::cuda {

/// Columns of T tokens on the device, as PackedBatch and TokenOutputs have them. A null column is
/// all 0, a null `correction` all 1.
struct TokenColumns {
  const float* loss_weight = nullptr;  ///< 0 masks a token
  const float* log_prob = nullptr;
  const float* entropy = nullptr;
  const float* value = nullptr;
  const float* old_log_prob = nullptr;
  const float* reference_log_prob = nullptr;
  const float* advantage = nullptr;
  const float* sequence_log_ratio = nullptr;
  const float* old_value = nullptr;
  const float* value_target = nullptr;
  const float* correction = nullptr;  ///< importance weights
};

/// Loss and derivatives of one token with any user's loss and regularizer inlined.
template <class Loss, class Regularizer>
struct TokenLossBody {
  Loss loss;
  Regularizer regularizer;
  TokenColumns in;
  kernels::TokenGradient<float>* out;

  /// One differentiable function of both.
  struct Composed {
    const Loss& loss;
    const Regularizer& regularizer;
    float weight;
    template <class S>
    DUALAGENT_HD S operator()(const kernels::TokenTerms<S>& t) const {
      return S(weight) * loss(t) + regularizer(t);
    }
  };

  DUALAGENT_HD void operator()(std::size_t i) const {
    const auto at = [i](const float* column) { return column == nullptr ? 0.0F : column[i]; };
    if (!kernels::is_trained(in.loss_weight[i])) {
      out[i] = {};
      return;
    }
    const kernels::TokenTerms<float> terms{at(in.log_prob),
                                           at(in.entropy),
                                           at(in.value),
                                           at(in.old_log_prob),
                                           at(in.reference_log_prob),
                                           at(in.advantage),
                                           at(in.sequence_log_ratio),
                                           at(in.old_value),
                                           at(in.value_target)};
    const float weight = in.correction == nullptr ? 1.0F : in.correction[i];
    out[i] = kernels::differentiate(Composed{loss, regularizer, weight}, terms);
  }
};

/// Loss and derivatives of T tokens, before their loss weight; exactly 0 for masked ones.
///
/// `objective` is any Objective: its loss and regularizer are inlined into the kernel as they are
/// into the CPU loop; their call operators must be constexpr (nvcc --expt-relaxed-constexpr).
/// Shapes: columns and `out` [T], on the device. Returns before it is done.
template <class Objective>
void token_loss(const Objective& objective, std::size_t tokens, const TokenColumns& columns,
                kernels::TokenGradient<float>* out, cudaStream_t stream = nullptr) {
  using Loss = decltype(objective.loss);
  using Regularizer = decltype(objective.regularizer);
  for_each(tokens,
           TokenLossBody<Loss, Regularizer>{objective.loss, objective.regularizer, columns, out},
           stream);
}

}  // namespace dualagent::cuda
