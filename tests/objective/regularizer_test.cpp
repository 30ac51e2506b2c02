#include "dualagent/objective/regularizer.hpp"

#include <cmath>

#include "laws/objective_laws.hpp"
#include "support/catch.hpp"

using namespace dualagent;

namespace {
const TokenTerms<double> terms{
    .log_prob = -0.7, .entropy = 1.25, .old_log_prob = -1.2, .reference_log_prob = -1.0};
const double d = 0.3;  // log pi - log pi_reference
}  // namespace

TEST_CASE("regularizers obey the laws of token losses", "[objective][laws]") {
  laws::check_token_loss_laws(NoRegularizer{});
  laws::check_token_loss_laws(ValueLoss{.coefficient = 0.7, .clip = 0.25});
  laws::check_token_loss_laws(ValueLoss{} + EntropyBonus{});
  laws::check_token_loss_laws(KlPenalty<K1>{0.3});
  laws::check_token_loss_laws(KlPenalty<K2>{0.3});
  laws::check_token_loss_laws(KlPenalty<K3>{0.3});
  laws::check_token_loss_laws(KlPenalty<ImportanceWeightedK3>{0.3});
  laws::check_token_loss_laws(EntropyBonus{0.3});
  laws::check_token_loss_laws(KlPenalty<K3>{0.3} + EntropyBonus{0.2});
}

TEST_CASE("KL estimators are those of hand arithmetic", "[objective]") {
  CHECK(differentiate(KlPenalty<K1>{2.0}, terms).value == Approx(2 * d));
  CHECK(differentiate(KlPenalty<K2>{2.0}, terms).value == Approx(d * d));
  const double k3 = std::exp(-d) - 1 + d;
  CHECK(differentiate(KlPenalty<K3>{2.0}, terms).value == Approx(2 * k3));
  CHECK(differentiate(KlPenalty<K3>{2.0}, terms).d_log_prob == Approx(2 * (1 - std::exp(-d))));
  const auto straight = differentiate(KlPenalty<K3WithK2Gradient>{2.0}, terms);
  CHECK(straight.value == Approx(2 * k3));
  CHECK(straight.d_log_prob == Approx(2 * d));
  const double ratio = std::exp(0.5);
  const auto weighted = differentiate(KlPenalty<ImportanceWeightedK3>{2.0}, terms);
  CHECK(weighted.value == Approx(2 * ratio * k3));
  CHECK(weighted.d_log_prob == Approx(2 * ratio * (k3 + 1 - std::exp(-d))));
}

TEST_CASE("an entropy bonus lowers the loss by its share of the entropy", "[objective]") {
  const auto bonus = differentiate(EntropyBonus{0.01}, terms);
  CHECK(bonus.value == Approx(-0.0125));
  CHECK(bonus.d_entropy == Approx(-0.01));
  CHECK(bonus.d_log_prob == 0.0);
}

TEST_CASE("a sum of regularizers adds them and knows whether it needs a reference", "[objective]") {
  const auto sum = KlPenalty<K2>{1.0} + EntropyBonus{0.1};
  CHECK(differentiate(sum, terms).value == Approx(d * d / 2 - 0.125));
  STATIC_REQUIRE(needs_reference<decltype(sum)>());
  STATIC_REQUIRE(!needs_reference<EntropyBonus>());
  STATIC_REQUIRE(!needs_reference<decltype(EntropyBonus{} + EntropyBonus{})>());
}

TEST_CASE("the clipped value loss is that of hand arithmetic, on both sides of its kinks",
          "[objective]") {
  const auto at = [](double value, double target) {
    return differentiate(
        ValueLoss{.coefficient = 3.0, .clip = 0.5},
        TokenTerms<double>{.value = value, .old_value = 1.0, .value_target = target});
  };
  // Within the clip range: 3/2 (V - G)^2.
  CHECK(at(1.2, 2.0).value == Approx(1.5 * 0.64));
  CHECK(at(1.2, 2.0).d_value == Approx(3 * -0.8));
  // Moved beyond it towards the target: the clipped error is greater, nothing moves.
  CHECK(at(1.8, 2.0).value == Approx(1.5 * 0.25));
  CHECK(at(1.8, 2.0).d_value == 0.0);
  // Moved beyond it away from the target: pulled back.
  CHECK(at(0.2, 2.0).value == Approx(1.5 * 3.24));
  CHECK(at(0.2, 2.0).d_value == Approx(3 * -1.8));
  // At the bound the derivative is that of V.
  CHECK(at(1.5, 2.0).d_value == Approx(3 * -0.5));
  CHECK(at(1.2, 2.0).d_log_prob == 0.0);
  STATIC_REQUIRE(trains_critic<decltype(ValueLoss{} + EntropyBonus{})>());
  STATIC_REQUIRE(!trains_critic<EntropyBonus>());
}
