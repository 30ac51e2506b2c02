#include "dualagent/objective/correction.hpp"

#include <cmath>

#include "support/catch.hpp"

using namespace dualagent;

namespace {
CorrectionTerms token(double ratio) { return {.log_ratio = std::log(ratio)}; }
CorrectionTerms segment(double geometric_mean, double tokens) {
  return {.segment_log_ratio = std::log(geometric_mean), .segment_tokens = tokens};
}
}  // namespace

TEST_CASE("token weights are truncated or dropped", "[objective]") {
  CHECK(NoCorrection{}.weight(token(7.0)) == 1.0);
  CHECK(TruncatedIs{}.weight(token(0.3)) == Approx(0.3));
  CHECK(TruncatedIs{}.weight(token(7.0)) == 2.0);
  CHECK(TruncatedIs{.low = 0.5, .high = 5.0}.weight(token(0.3)) == 0.5);
  const IcePop ice{.low = 0.5, .high = 2.0};
  CHECK(ice.weight(token(1.5)) == Approx(1.5));
  CHECK(ice.weight(token(0.4)) == 0.0);
  CHECK(ice.weight(token(2.1)) == 0.0);
}

TEST_CASE("segment weights look at all tokens of the segment", "[objective]") {
  CHECK(SequenceIs{.high = 2.0}.weight(segment(1.1, 3)) == Approx(1.331));
  CHECK(SequenceIs{.high = 2.0}.weight(segment(1.1, 100)) == 2.0);
  CHECK(SequenceIs{.high = 2.0}.weight(segment(3.0, 1e6)) == 2.0);  // no overflow
  const GeometricRejection keep{.low = 0.9, .high = 1.2};
  CHECK(keep.weight(segment(1.1, 5)) == 1.0);
  CHECK(keep.weight(segment(1.3, 5)) == 0.0);
  CHECK(keep.weight(segment(0.8, 5)) == 0.0);
  CorrectionTerms terms;
  terms.smallest_log_ratio = std::log(1e-5);
  CHECK(TokenVeto{}.weight(terms) == 0.0);
  CHECK(TokenVeto{.low = 1e-6}.weight(terms) == 1.0);
}

TEST_CASE("the off-policy mask drops only what is bad and already left", "[objective]") {
  const OffPolicyMask mask{.max_divergence = 0.1};
  CHECK(mask.weight({.policy_log_ratio = -0.2, .advantage = -1}) == 0.0);
  CHECK(mask.weight({.policy_log_ratio = -0.2, .advantage = 1}) == 1.0);
  CHECK(mask.weight({.policy_log_ratio = -0.05, .advantage = -1}) == 1.0);
  CHECK(mask.weight({.policy_log_ratio = 0.2, .advantage = -1}) == 1.0);
}

TEST_CASE("a product of corrections multiplies and asks for what either needs", "[objective]") {
  const auto mis = TruncatedIs{} * GeometricRejection{.low = 0.9, .high = 1.1};
  CorrectionTerms terms = segment(1.05, 2);
  terms.log_ratio = std::log(1.5);
  CHECK(mis.weight(terms) == Approx(1.5));
  terms.segment_log_ratio = 1.0;
  CHECK(mis.weight(terms) == 0.0);
  STATIC_REQUIRE(needs_sampler_log_probs<MaskedIs>());
  STATIC_REQUIRE(!needs_policy_log_ratio<MaskedIs>());
  STATIC_REQUIRE(!needs_sampler_log_probs<OffPolicyMask>());
  STATIC_REQUIRE(needs_policy_log_ratio<decltype(OffPolicyMask{} * TokenVeto{})>());
}
