#include "dualagent/objective/objective.hpp"

#include "support/catch.hpp"

using namespace dualagent;

namespace {
struct NoLoss {
  double operator()(double x) const { return x; }
};
}  // namespace

TEST_CASE("an objective is composed of its three parts", "[objective]") {
  const Objective objective{GroupNormalized{.epsilon = 1e-4}, PolicyGradient{}, RolloutMean{}};
  CHECK(check_objective<decltype(objective)>());
  CHECK(objective.advantage.epsilon == 1e-4);
  const auto gradient = differentiate(objective.loss, TokenTerms<double>{.log_prob = -2.0,
                                                                         .entropy = 0.0,
                                                                         .old_log_prob = 0.0,
                                                                         .reference_log_prob = 0.0,
                                                                         .advantage = 3.0});
  CHECK(gradient.value == 6.0);
  CHECK(gradient.d_log_prob == -3.0);
  STATIC_REQUIRE(TokenLoss<PolicyGradient>);
  STATIC_REQUIRE(!TokenLoss<NoLoss>);
}
