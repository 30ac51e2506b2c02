#pragma once

#include <cstddef>
#include <type_traits>

#include "dualagent/kernels/mask.inl"
#include "dualagent/kernels/token_loss.inl"

namespace dualagent::loops {

/// What the loss of each of T tokens may depend on beside the model: columns [T] on the machine of
/// the loops. A null column is all 0, a null `importance_weight` all 1.
struct TokenColumns {
  const float* old_log_prob = nullptr;
  const float* reference_log_prob = nullptr;
  const float* advantage = nullptr;
  const double* sequence_log_ratio = nullptr;
  const float* old_value = nullptr;
  const float* value_target = nullptr;
  const double* importance_weight = nullptr;  ///< factor of the loss, not of the regularizer

  template <class T>
  DUALAGENT_HD constexpr kernels::TokenTerms<T> terms(
      std::size_t t, const kernels::TokenPrediction<T>& now) const {
    const auto at = [t](const auto* column) {
      return column == nullptr ? T{0} : static_cast<T>(column[t]);
    };
    return {now.log_prob,
            now.entropy,
            now.value,
            at(old_log_prob),
            at(reference_log_prob),
            at(advantage),
            at(sequence_log_ratio),
            at(old_value),
            at(value_target)};
  }
  template <class T>
  DUALAGENT_HD constexpr T importance_weight_of(std::size_t t) const {
    return importance_weight == nullptr ? T{1} : static_cast<T>(importance_weight[t]);
  }
};

/// What a model says of T tokens. A null column is all 0.
struct PredictionColumns {
  const float* log_prob = nullptr;
  const float* entropy = nullptr;
  const float* value = nullptr;
};

namespace detail {

template <class T>
DUALAGENT_HD constexpr T sum_of(const kernels::TokenTerms<T>& t) {
  return t.log_prob + t.entropy + t.value + t.old_log_prob + t.reference_log_prob + t.advantage +
         t.sequence_log_ratio + t.old_value + t.value_target;
}

}  // namespace detail

/// importance weight * loss + regularizer of any token of a batch: what a learner is given to
/// minimise. A plain value, copied to wherever the learner computes and inlined there.
template <class Loss, class Regularizer>
struct ComposedLoss {
  Loss loss;
  Regularizer regularizer;

  /// One differentiable function of a token's terms.
  template <class T>
  struct AtToken {
    const Loss& loss;
    const Regularizer& regularizer;
    T weight;
    template <class S>
    DUALAGENT_FLATTEN DUALAGENT_HD constexpr S operator()(const kernels::TokenTerms<S>& t) const {
      return S(weight) * loss(t) + regularizer(t);
    }
  };

  /// Value and derivatives of token t, before its loss weight; in the arithmetic of `now`. All are
  /// NaN where a term is NaN or infinite, so that no bound of a loss hides it.
  template <class T>
  DUALAGENT_HD constexpr kernels::TokenGradient<T> operator()(
      const TokenColumns& columns, std::size_t t, const kernels::TokenPrediction<T>& now) const {
    const kernels::TokenTerms<T> terms = columns.terms(t, now);
    const T weight = columns.importance_weight_of<T>(t);
    const T all = detail::sum_of(terms) + weight;
    const T spoilt = all - all;  // 0 where all are finite, else NaN
    if (!(spoilt == T{0})) return {spoilt, spoilt, spoilt, spoilt};
    return kernels::differentiate(AtToken<T>{loss, regularizer, weight}, terms);
  }

  /// Whether the loss clips token t; false of a loss that does not say. See TokenLoss.
  bool clips(const TokenColumns& columns, std::size_t t,
             const kernels::TokenPrediction<double>& now) const {
    if constexpr (requires(const kernels::TokenTerms<double>& terms) { loss.clips(terms); })
      return loss.clips(columns.terms(t, now));
    else
      return false;
  }
};

/// The loss and the regularizer of an Objective.
template <class Objective>
constexpr auto composed_loss(const Objective& objective) {
  using Loss = std::remove_cvref_t<decltype(objective.loss)>;
  using Regularizer = std::remove_cvref_t<decltype(objective.regularizer)>;
  return ComposedLoss<Loss, Regularizer>{objective.loss, objective.regularizer};
}

/// A token's loss as a function of the token and of what the model says of it: a ComposedLoss, or
/// any other function of columns, token and prediction, with the columns that it reads.
template <class Function>
struct ColumnLoss {
  Function function;
  TokenColumns columns;

  template <class T>
  DUALAGENT_HD constexpr kernels::TokenGradient<T> operator()(
      std::size_t t, const kernels::TokenPrediction<T>& now) const {
    return function(columns, t, now);
  }
};
template <class Function>
ColumnLoss(Function, TokenColumns) -> ColumnLoss<Function>;

/// The ColumnLoss of an Objective.
template <class Objective>
constexpr auto column_loss(const Objective& objective, const TokenColumns& columns) {
  return ColumnLoss{composed_loss(objective), columns};
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
    using Prediction = kernels::TokenPrediction<float>;
    out[t] = kernels::is_trained(loss_weight[t])
                 ? loss(t, Prediction{at(now.log_prob), at(now.entropy), at(now.value)})
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
