#include "dualagent/kernels/token_loss.inl"

#include <cmath>

#include "dualagent/objective/token_loss.hpp"
#include "support/catch.hpp"

using namespace dualagent;

namespace {

/// Hand-derived: value and d/dlog_prob of -min(r A, clip(r) A).
struct Expected {
  double value;
  double slope;
};
Expected clip_loss_by_hand(double log_ratio, double advantage, double low, double high) {
  const double ratio = std::exp(log_ratio);
  if (advantage > 0 && ratio > 1 + high) return {-(1 + high) * advantage, 0};
  if (advantage < 0 && ratio < 1 - low) return {-(1 - low) * advantage, 0};
  return {-ratio * advantage, -ratio * advantage};
}

}  // namespace

TEST_CASE("the clip loss and its derivative are those of the hand derivation", "[objective]") {
  for (const double log_ratio : {-3.0, -0.5, -0.2, -0.1, 0.0, 0.1, 0.24, 0.3, 2.0})
    for (const double advantage : {-1.5, -0.1, 0.0, 0.7, 2.0}) {
      const auto result = differentiate(ClipLoss{.clip_low = 0.2, .clip_high = 0.28},
                                        TokenTerms<double>{.log_prob = -1.0 + log_ratio,
                                                           .entropy = 0.3,
                                                           .old_log_prob = -1.0,
                                                           .reference_log_prob = 0.0,
                                                           .advantage = advantage});
      const Expected expected = clip_loss_by_hand(log_ratio, advantage, 0.2, 0.28);
      CHECK(result.value == Approx(expected.value).margin(1e-15));
      CHECK(result.d_log_prob == Approx(expected.slope).margin(1e-15));
      CHECK(result.d_entropy == 0.0);
    }
}

TEST_CASE("the clip loss stays finite for absurd ratios", "[objective]") {
  const auto at = [](double log_prob, double advantage) {
    return differentiate(ClipLoss{}, TokenTerms<double>{.log_prob = log_prob,
                                                        .entropy = 0.0,
                                                        .old_log_prob = 0.0,
                                                        .reference_log_prob = 0.0,
                                                        .advantage = advantage});
  };
  CHECK(at(1000.0, -1.0).value == Approx(std::exp(20.0)));
  CHECK(at(1000.0, -1.0).d_log_prob == 0.0);
  CHECK(at(-1000.0, 1.0).value == Approx(-std::exp(-20.0)));
}

namespace {
struct EntropyAndSquare {
  template <class S>
  S operator()(const TokenTerms<S>& t) const {
    return t.log_prob * t.log_prob * t.advantage - S(0.5) * t.entropy * t.log_prob;
  }
};
}  // namespace

TEST_CASE("an own loss is differentiated in log-probability and entropy", "[objective]") {
  const auto result =
      differentiate(EntropyAndSquare{}, TokenTerms<double>{.log_prob = -2.0,
                                                           .entropy = 3.0,
                                                           .old_log_prob = 0.0,
                                                           .reference_log_prob = 0.0,
                                                           .advantage = 1.5});
  CHECK(result.value == Approx(4.0 * 1.5 + 0.5 * 3.0 * 2.0));
  CHECK(result.d_log_prob == Approx(2.0 * -2.0 * 1.5 - 0.5 * 3.0));
  CHECK(result.d_entropy == Approx(1.0));
}
