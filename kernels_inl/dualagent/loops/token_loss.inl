#pragma once

#include <cstddef>
#include <type_traits>

#include "dualagent/kernels/mask.inl"
#include "dualagent/kernels/token_loss.inl"

namespace dualagent::loops {

/// Columns of T tokens, as PackedBatch has them, on the machine of the loops. A null column is all
/// 0, a null `correction` all 1.
struct TokenColumns {
  const float* old_log_prob = nullptr;
  const float* reference_log_prob = nullptr;
  const float* advantage = nullptr;
  const float* sequence_log_ratio = nullptr;
  const float* old_value = nullptr;
  const float* value_target = nullptr;
  const float* correction = nullptr;  ///< importance weights
};

/// What a model says of T tokens. A null column is all 0.
struct PredictionColumns {
  const float* log_prob = nullptr;
  const float* entropy = nullptr;
  const float* value = nullptr;
};

/// A token's loss by any user's loss and regularizer, as a function of the token and of what the
/// model says of it: what the kernels inline.
template <class Loss, class Regularizer>
struct ColumnLoss {
  Loss loss;
  Regularizer regularizer;
  TokenColumns in;

  /// One differentiable function of both.
  struct Composed {
    const Loss& loss;
    const Regularizer& regularizer;
    float weight;
    template <class S>
    DUALAGENT_FLATTEN DUALAGENT_HD constexpr S operator()(const kernels::TokenTerms<S>& t) const {
      return S(weight) * loss(t) + regularizer(t);
    }
  };

  /// Value and derivatives for token t, before its loss weight.
  DUALAGENT_HD kernels::TokenGradient<float> operator()(std::size_t t, float log_prob,
                                                        float entropy, float value = 0) const {
    const auto at = [t](const float* column) { return column == nullptr ? 0.0F : column[t]; };
    const kernels::TokenTerms<float> terms{log_prob,
                                           entropy,
                                           value,
                                           at(in.old_log_prob),
                                           at(in.reference_log_prob),
                                           at(in.advantage),
                                           at(in.sequence_log_ratio),
                                           at(in.old_value),
                                           at(in.value_target)};
    const float weight = in.correction == nullptr ? 1.0F : in.correction[t];
    return kernels::differentiate(Composed{loss, regularizer, weight}, terms);
  }
};

/// The ColumnLoss of an Objective.
template <class Objective>
auto column_loss(const Objective& objective, const TokenColumns& columns) {
  using Loss = decltype(objective.loss);
  using Regularizer = decltype(objective.regularizer);
  return ColumnLoss<Loss, Regularizer>{objective.loss, objective.regularizer, columns};
}

namespace detail {

template <class Loss>
struct WriteTokenLoss {
  Loss loss;
  const float* loss_weight;
  PredictionColumns now;
  kernels::TokenGradient<float>* out;

  DUALAGENT_HD void operator()(std::size_t t) const {
    const auto at = [t](const float* column) { return column == nullptr ? 0.0F : column[t]; };
    out[t] = kernels::is_trained(loss_weight[t])
                 ? loss(t, at(now.log_prob), at(now.entropy), at(now.value))
                 : kernels::TokenGradient<float>{};
  }
};

}  // namespace detail

/// Loss and derivatives of T tokens, before their loss weight; exactly 0 for masked ones, whose
/// columns are not read.
///
/// `objective` is any Objective: its loss and regularizer are inlined into a kernel as they are
/// into the CPU loop; their call operators must be constexpr (nvcc --expt-relaxed-constexpr).
/// Shapes: loss_weight, columns and `out` [T].
template <class Loops, class Objective>
void token_loss(Loops& loops, const Objective& objective, std::size_t tokens,
                const float* loss_weight, const PredictionColumns& now, const TokenColumns& columns,
                kernels::TokenGradient<float>* out) {
  const auto loss = column_loss(objective, columns);
  loops.for_each(tokens, detail::WriteTokenLoss<std::remove_const_t<decltype(loss)>>{
                             loss, loss_weight, now, out});
}

}  // namespace dualagent::loops
