#pragma once

#include <type_traits>

#include "dualagent/objective/token_loss.hpp"

namespace dualagent {

/// Whether a regularizer asks for `t.reference_log_prob`: the trainer then keeps a frozen copy of
/// the model as it was when the trainer was made.
template <class R>
consteval bool needs_reference() {
  if constexpr (requires { R::needs_reference; })
    return R::needs_reference;
  else
    return false;
}

/// Whether a regularizer trains the critic: the trainer then fills `t.old_value` and
/// `t.value_target`, and the model must have a value head.
template <class R>
consteval bool trains_critic() {
  if constexpr (requires { R::trains_critic; })
    return R::trains_critic;
  else
    return false;
}

/// A token loss that may be added to others with `+`; it is marked by
/// `static constexpr bool is_regularizer = true`. No importance correction is applied to it.
template <class R>
concept Regularizer = TokenLoss<R> && R::is_regularizer;

/// One readable sentence if R cannot be added to others.
template <class R>
consteval bool check_regularizer() {
  static_assert(Regularizer<R>,
                "dualagent: a Regularizer that is added with + needs 'static constexpr bool "
                "is_regularizer = true' and 'template <class S> S operator()(const TokenTerms<S>&) "
                "const'; see docs/objectives.md#regularizers");
  return true;
}

/// Adds nothing.
struct NoRegularizer {
  static constexpr bool is_regularizer = true;
  template <class S>
  constexpr S operator()(const TokenTerms<S>&) const {
    return S(0);
  }
};

/// Estimators of the divergence from the reference policy; see kernels::kl1 and its neighbours.
struct K1 {
  template <class S>
  static constexpr S of(const TokenTerms<S>& t) {
    return kernels::kl1(t.log_prob - t.reference_log_prob);
  }
};
struct K2 {
  template <class S>
  static constexpr S of(const TokenTerms<S>& t) {
    return kernels::kl2(t.log_prob - t.reference_log_prob);
  }
};
struct K3 {
  template <class S>
  static constexpr S of(const TokenTerms<S>& t) {
    return kernels::kl3(t.log_prob - t.reference_log_prob);
  }
};
/// The value of K3, the gradient of K2.
struct K3WithK2Gradient {
  template <class S>
  static constexpr S of(const TokenTerms<S>& t) {
    return kernels::kl3_with_kl2_gradient(t.log_prob - t.reference_log_prob);
  }
};
/// pi / pi_old times K3, differentiated through both: unbiased on stale samples.
/// Source: DeepSeek-AI, "DeepSeek-V3.2", 2025 (2512.02556), section 3.1.
struct ImportanceWeightedK3 {
  template <class S>
  static constexpr S of(const TokenTerms<S>& t) {
    return importance_ratio(t) * kernels::kl3(t.log_prob - t.reference_log_prob);
  }
};

/// coefficient * KL(pi || pi_reference), estimated token by token.
///
/// K1's gradient is 0 in expectation (its value is for reports and rewards); K2 and
/// K3WithK2Gradient have the divergence's own gradient.
template <class Estimator = K3>
struct KlPenalty {
  static constexpr bool is_regularizer = true;
  static constexpr bool needs_reference = true;
  double coefficient = 0.001;
  void validate() const { require_option(coefficient, kNotNegative, "coefficient", "KlPenalty"); }
  template <class S>
  constexpr S operator()(const TokenTerms<S>& t) const {
    return S(coefficient) * Estimator::of(t);
  }
};

/// -coefficient * entropy of the distribution that the token was drawn from, differentiated
/// through all logits.
struct EntropyBonus {
  static constexpr bool is_regularizer = true;
  double coefficient = 0.001;
  void validate() const { require_option(coefficient, kFinite, "coefficient", "EntropyBonus"); }
  template <class S>
  constexpr S operator()(const TokenTerms<S>& t) const {
    return -(S(coefficient) * t.entropy);
  }
};

/// coefficient * the clipped value loss of the critic; see kernels::clipped_value_loss.
struct ValueLoss {
  static constexpr bool is_regularizer = true;
  static constexpr bool trains_critic = true;
  double coefficient = 0.5;
  double clip = 0.2;  ///< how far the critic may move in one step; > 0
  void validate() const {
    require_option(coefficient, kPositive, "coefficient", "ValueLoss");
    require_option(clip, kPositiveOrInfinite, "clip", "ValueLoss");
  }
  template <class S>
  constexpr S operator()(const TokenTerms<S>& t) const {
    return S(coefficient) *
           kernels::clipped_value_loss(t.value, t.old_value, t.value_target, S(clip));
  }
};

/// Both: `KlPenalty<K3>{0.001} + EntropyBonus{0.01}`.
template <class A, class B>
struct RegularizerSum {
  static_assert(check_regularizer<A>() && check_regularizer<B>());
  static constexpr bool is_regularizer = true;
  static constexpr bool needs_reference =
      dualagent::needs_reference<A>() || dualagent::needs_reference<B>();
  static constexpr bool trains_critic =
      dualagent::trains_critic<A>() || dualagent::trains_critic<B>();
  A first;
  B second;
  void validate() const { validate_all(first, second); }
  template <class S>
  DUALAGENT_FLATTEN constexpr S operator()(const TokenTerms<S>& t) const {
    return first(t) + second(t);
  }
};
namespace detail {
/// One is a regularizer, so the other is meant to be one.
template <class A, class B>
concept CombinesRegularizers = std::is_class_v<A> && std::is_class_v<B> &&
    (Regularizer<A> || Regularizer<B>);
}  // namespace detail
template <class A, class B>
requires detail::CombinesRegularizers<A, B>
constexpr RegularizerSum<A, B> operator+(const A& a, const B& b) { return {a, b}; }

}  // namespace dualagent
