#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

#include "dualagent/core/random.hpp"
#include "dualagent/kernels/token_loss.inl"
#include "dualagent/model/policy_loss.hpp"
#include "support/normals.hpp"

/// A policy loss by the textbook, as slow loops in double, and problems to try it on.
namespace policy_formula {

using dualagent::PolicyRows;
using dualagent::RandomStream;
using dualagent::Token;
using dualagent::TokenLossGradient;
using dualagent::TokenPrediction;

/// GRPO's clipped loss with an entropy bonus, as a user composes it.
struct ClippedLoss {
  std::vector<double> old_log_prob;
  std::vector<double> advantage;
  double entropy_bonus = 0.02;

  TokenLossGradient operator()(std::size_t t, const TokenPrediction& now) const {
    const dualagent::kernels::TokenTerms<double> terms{.log_prob = now.log_prob,
                                                       .entropy = now.entropy,
                                                       .old_log_prob = old_log_prob[t],
                                                       .advantage = advantage[t]};
    return dualagent::kernels::differentiate(
        [&]<class S>(const dualagent::kernels::TokenTerms<S>& at) {
          return dualagent::kernels::clip_loss(dualagent::kernels::importance_ratio(at),
                                               at.advantage, S(0.2), S(0.2)) -
                 S(entropy_bonus) * at.entropy;
        },
        terms);
  }
};

struct Problem {
  std::size_t rows, vocab;
  std::vector<Token> target;
  std::vector<float> loss_weight, temperature;
  ClippedLoss loss;

  PolicyRows policy_rows() const { return {target, loss_weight, temperature}; }
};

/// What the formula gives: log-probability, entropy, loss and its derivative of each row [T], and
/// d(sum of weight * loss) / d(logits) [T, V].
struct Answer {
  std::vector<double> log_prob, entropy, loss, d_log_prob, d_logits;
};

inline Answer unfused(const Problem& problem, const std::vector<double>& logits) {
  Answer answer;
  for (std::size_t t = 0; t < problem.rows; ++t) {
    std::vector<double> log_p(problem.vocab);
    double top = -INFINITY, sum = 0, entropy = 0;
    for (std::size_t v = 0; v < problem.vocab; ++v) {
      log_p[v] = logits[t * problem.vocab + v] / static_cast<double>(problem.temperature[t]);
      top = std::fmax(top, log_p[v]);
    }
    for (const double z : log_p) sum += std::exp(z - top);
    for (double& z : log_p) z -= top + std::log(sum);
    for (const double l : log_p) entropy -= std::exp(l) == 0.0 ? 0.0 : std::exp(l) * l;
    const double log_prob = log_p[static_cast<std::size_t>(problem.target[t])];
    const double ratio = std::exp(log_prob - problem.loss.old_log_prob[t]);
    const double a = problem.loss.advantage[t];
    const double clipped = std::fmin(std::fmax(ratio, 0.8), 1.2);
    const bool is_clipped = clipped * a < ratio * a;
    answer.log_prob.push_back(log_prob);
    answer.entropy.push_back(entropy);
    const double d_loss = is_clipped ? 0.0 : -ratio * a;
    answer.d_log_prob.push_back(d_loss);
    answer.loss.push_back(-std::fmin(ratio * a, clipped * a) -
                          problem.loss.entropy_bonus * entropy);
    const double factor =
        static_cast<double>(problem.loss_weight[t]) / static_cast<double>(problem.temperature[t]);
    for (std::size_t v = 0; v < problem.vocab; ++v) {
      const double p = std::exp(log_p[v]);
      const double d_log_prob = (v == static_cast<std::size_t>(problem.target[t]) ? 1.0 : 0.0) - p;
      const double d_entropy = p == 0.0 ? 0.0 : -p * (log_p[v] + entropy);
      answer.d_logits.push_back(factor *
                                (d_loss * d_log_prob - problem.loss.entropy_bonus * d_entropy));
    }
  }
  return answer;
}

/// Sum of weight * loss.
inline double total(const Problem& problem, const Answer& answer) {
  double sum = 0;
  for (std::size_t t = 0; t < problem.rows; ++t)
    if (problem.loss_weight[t] != 0.0F)
      sum += static_cast<double>(problem.loss_weight[t]) * answer.loss[t];
  return sum;
}

/// Rows with mixed weights (every fifth masked), temperatures and signs of advantage; `settle` then
/// puts the old log-probabilities well within or beyond the clip, where rounding cannot matter.
inline Problem problem_of(std::size_t rows, std::size_t vocab, std::uint64_t seed) {
  Problem problem{rows, vocab, {}, {}, {}, {}};
  const RandomStream random = RandomStream::from_seed(seed).child(99);
  for (std::size_t t = 0; t < rows; ++t) {
    problem.target.push_back(static_cast<Token>(random.below(t, vocab)));
    problem.loss_weight.push_back(t % 5 == 3 ? 0.0F : 0.1F + 0.05F * static_cast<float>(t % 4));
    problem.temperature.push_back(t % 3 == 0 ? 1.0F : t % 3 == 1 ? 0.7F : 1.6F);
    problem.loss.advantage.push_back(t % 2 == 0 ? 1.3 : -0.7);
  }
  problem.loss.old_log_prob.assign(rows, 0.0);
  return problem;
}
inline void settle(Problem& problem, const std::vector<double>& logits) {
  const Answer answer = unfused(problem, logits);
  const double offsets[] = {0.05, -0.5, -0.1, 0.5, 0.0};
  for (std::size_t t = 0; t < problem.rows; ++t)
    problem.loss.old_log_prob[t] = answer.log_prob[t] + offsets[t % 5];
}

/// |got - expected| / |expected| over all elements (root of the sum of squares).
template <class T>
double relative_error(const std::vector<T>& got, const std::vector<double>& expected) {
  if (got.size() != expected.size()) return INFINITY;
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    difference += std::pow(static_cast<double>(got[i]) - expected[i], 2);
    size += expected[i] * expected[i];
  }
  if (difference == 0) return 0;  // also where both are all zero
  return std::sqrt(difference / size);
}

}  // namespace policy_formula
