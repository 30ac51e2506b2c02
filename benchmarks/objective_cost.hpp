#pragma once

#include <cmath>

#include "dualagent/kernels/token_loss.inl"

/// The loss of one token and its derivatives, composed of policies and written by hand: clip loss
/// weighted by a constant, plus a k3 penalty, minus an entropy bonus.
namespace objective_cost {

using dualagent::kernels::TokenGradient;
using dualagent::kernels::TokenTerms;

inline constexpr double kLow = 0.2, kHigh = 0.28, kPenalty = 0.001, kBonus = 0.01, kWeight = 0.9;

struct ClipPart {
  template <class S>
  DUALAGENT_HD S operator()(const TokenTerms<S>& t) const {
    return dualagent::kernels::clip_loss(importance_ratio(t), t.advantage, S(kLow), S(kHigh));
  }
};
struct PenaltyPart {
  template <class S>
  DUALAGENT_HD S operator()(const TokenTerms<S>& t) const {
    return S(kPenalty) * dualagent::kernels::kl3(t.log_prob - t.reference_log_prob);
  }
};
struct BonusPart {
  template <class S>
  DUALAGENT_HD S operator()(const TokenTerms<S>& t) const {
    return -(S(kBonus) * t.entropy);
  }
};

/// As the library composes it: one function of scalars, differentiated by dual numbers.
template <class T>
struct Composed {
  template <class S>
  DUALAGENT_FLATTEN DUALAGENT_HD S operator()(const TokenTerms<S>& t) const {
    return S(T(kWeight)) * ClipPart{}(t) + (PenaltyPart{}(t) + BonusPart{}(t));
  }
  DUALAGENT_HD TokenGradient<T> gradient(const TokenTerms<T>& t) const {
    return dualagent::kernels::differentiate(*this, t);
  }
};

/// The same by hand.
template <class T>
struct ByHand {
  DUALAGENT_HD static T bounded(T x) { return x < T(-20) ? T(-20) : x > T(20) ? T(20) : x; }
  DUALAGENT_HD TokenGradient<T> gradient(const TokenTerms<T>& t) const {
    const T log_ratio = t.log_prob - t.old_log_prob;
    const T ratio = std::exp(bounded(log_ratio));
    const T limit = ratio < T(1) - T(kLow)    ? T(1) - T(kLow)
                    : ratio > T(1) + T(kHigh) ? T(1) + T(kHigh)
                                              : ratio;
    const T unclipped = -ratio * t.advantage;
    const T clipped = -limit * t.advantage;
    const bool moves = unclipped >= clipped && log_ratio >= T(-20) && log_ratio <= T(20);
    const T d = t.log_prob - t.reference_log_prob;
    const T k = bounded(d);
    const T e = std::exp(-k);
    TokenGradient<T> result;
    result.value = T(kWeight) * (unclipped >= clipped ? unclipped : clipped) +
                   T(kPenalty) * (e - T(1) + k) - T(kBonus) * t.entropy;
    result.d_log_prob = (moves ? T(kWeight) * unclipped : T(0)) +
                        (d >= T(-20) && d <= T(20) ? T(kPenalty) * (T(1) - e) : T(0));
    result.d_entropy = -T(kBonus);
    return result;
  }
};

}  // namespace objective_cost
