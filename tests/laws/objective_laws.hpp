#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "dualagent/objective/objective.hpp"
#include "support/catch.hpp"

/// Laws of objectives; call them in a test of your own policy.
namespace laws {

/// Permuting a group permutes its advantages; groups do not influence each other.
template <dualagent::AdvantageEstimator A>
void check_advantage_laws(const A& estimator) {
  const std::vector<double> rewards{0.5, 2.0, -1.0, 0.25, 3.0, 1.0};
  const std::vector<std::size_t> begin{0, 4, 6};
  std::vector<double> advantages(6);
  estimator.estimate(rewards, begin, advantages);

  const std::size_t order[] = {2, 0, 3, 1, 5, 4};
  std::vector<double> permuted;
  for (const std::size_t i : order) permuted.push_back(rewards[i]);
  std::vector<double> result(6);
  estimator.estimate(permuted, begin, result);
  for (std::size_t i = 0; i < 6; ++i)
    CHECK(result[i] == Approx(advantages[order[i]]).margin(1e-12));

  std::vector<double> alone(2);
  estimator.estimate(std::span(rewards).subspan(4), std::vector<std::size_t>{0, 2}, alone);
  CHECK(alone[0] == Approx(advantages[4]));
  CHECK(alone[1] == Approx(advantages[5]));
}

/// Dual-number derivatives with respect to log-probability, entropy and value equal central
/// differences, away from kinks; a loss that says so has no gradient where the advantage is 0.
template <dualagent::TokenLoss L>
void check_token_loss_laws(const L& loss) {
  using dualagent::TokenTerms;
  TokenTerms<double> terms{.entropy = 0.8,
                           .old_log_prob = -1.7,
                           .reference_log_prob = -1.73,
                           .old_value = 0.3,
                           .value_target = 0.9};
  const auto slope = [&](double TokenTerms<double>::*term) {
    TokenTerms<double> above = terms, below = terms;
    above.*term += 1e-6;
    below.*term -= 1e-6;
    return (dualagent::differentiate(loss, above).value -
            dualagent::differentiate(loss, below).value) /
           2e-6;
  };
  for (const double log_ratio : {-0.7, -0.11, 0.04, 0.17, 0.9})
    for (const double advantage : {-1.3, 0.0, 0.6})
      for (const double value : {-0.4, 0.21, 0.44, 1.6}) {
        terms.log_prob = terms.old_log_prob + log_ratio;
        terms.advantage = advantage;
        terms.value = value;
        const auto gradient = dualagent::differentiate(loss, terms);
        const auto close = [](double expected) {
          return Approx(expected).epsilon(1e-6).margin(1e-8);
        };
        CHECK(gradient.d_log_prob == close(slope(&TokenTerms<double>::log_prob)));
        CHECK(gradient.d_entropy == close(slope(&TokenTerms<double>::entropy)));
        CHECK(gradient.d_value == close(slope(&TokenTerms<double>::value)));
        if (advantage == 0 && dualagent::vanishes_without_advantage<L>()) {
          CHECK(gradient.d_log_prob == 0.0);
          CHECK(gradient.d_entropy == 0.0);
          CHECK(gradient.d_value == 0.0);
        }
      }
}

/// The weights of all trained tokens of a minibatch sum to 1. Rollout 1 has segments of 3 and 5
/// tokens, rollout 2 one of 4.
template <dualagent::Aggregation A>
void check_aggregation_laws(const A& aggregation) {
  double total = 0;
  const auto add = [&](double segment, double rollout) {
    total += segment * aggregation.weight({.tokens = 12,
                                           .rollouts = 2,
                                           .segments = 3,
                                           .rollout_tokens = rollout,
                                           .segment_tokens = segment});
  };
  add(3, 8);
  add(5, 8);
  add(4, 4);
  CHECK(total == Approx(1.0));
}

}  // namespace laws
