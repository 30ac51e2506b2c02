#include "dualagent/objective/objective.hpp"

#include <limits>
#include <string>

#include "dualagent/objective/recipes.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

namespace {
struct NoLoss {
  double operator()(double x) const { return x; }
};

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kEndless = std::numeric_limits<double>::infinity();

template <class Policy>
std::string refusal(const Policy& policy) {
  return error_of([&] { validate_all(policy); });
}
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

TEST_CASE("numbers of objectives that cannot be meant are refused by name", "[objective]") {
  const auto names = [](const auto& policy, const char* text) {
    CHECK_THAT(refusal(policy), ContainsSubstring(text));
  };
  names(GroupNormalized{.epsilon = -1e-6}, "epsilon is -1e-06 (GroupNormalized)");
  names(GroupNormalized{.epsilon = kNan}, "epsilon is nan (GroupNormalized)");
  names(Gae{.gamma = 1.01}, "gamma is 1.01 (Gae)");
  names(Gae{.lambda = kNan}, "lambda");
  names(SegmentGae{.lambda = -0.1}, "lambda");
  names(CrossSegmentGae{.length_scale = 0}, "length_scale");
  names(KlInReward<RawReward>{.coefficient = -1}, "coefficient");
  names(Whitened<KlInReward<GroupNormalized>>{{.estimator = {.epsilon = kNan}}}, "epsilon");
  names(ClipLoss{.clip_low = -0.2}, "clip_low is -0.2 (ClipLoss)");
  names(ClipLoss{.clip_high = kNan}, "clip_high");
  names(DualClipLoss{.bound = 1.0}, "bound");
  names(TwoSidedClipLoss{.clip_high = 0.3, .cap = 1.2}, "cap is 1.2");
  names(CispoLoss{.lower = 2.0}, "lower is 2 (CispoLoss)");
  names(CispoLoss{.upper = 0.0}, "upper");
  names(GspoLoss{.clip_low = kNan}, "clip_low is nan (GspoLoss)");
  names(KlPenalty<K3>{.coefficient = kEndless}, "coefficient is inf (KlPenalty)");
  names(EntropyBonus{.coefficient = kNan}, "coefficient is nan (EntropyBonus)");
  names(ValueLoss{.clip = 0}, "clip is 0 (ValueLoss)");
  names(KlPenalty<K3>{} + EntropyBonus{.coefficient = kNan}, "EntropyBonus");
  names(FixedLength{.max_tokens = 0}, "max_tokens is 0 (FixedLength)");
  names(TruncatedIs{.low = 3.0}, "low is 3 (TruncatedIs)");
  names(IcePop{.low = 1.5}, "low is 1.5 (IcePop)");
  names(IcePop{.high = 0.9}, "high is 0.9 (IcePop)");
  names(SequenceIs{.high = kNan}, "high");
  names(GeometricRejection{.low = kNan}, "low");
  names(TokenVeto{.low = 1.1}, "low");
  names(OffPolicyMask{.max_divergence = -1}, "max_divergence");
  names(TruncatedIs{} * TokenVeto{.low = -1}, "TokenVeto");
  names(BatchNormalized<IcePop>{{.high = 0}}, "IcePop");
}

TEST_CASE("numbers of objectives at the edge of what can be meant are taken", "[objective]") {
  CHECK(refusal(GroupNormalized{.epsilon = 0}) == "no error");
  CHECK(refusal(Gae{.gamma = 0, .lambda = 1}) == "no error");
  CHECK(refusal(ClipLoss{.clip_low = 0, .clip_high = kEndless}) == "no error");
  CHECK(refusal(CispoLoss::trl()) == "no error");
  CHECK(refusal(CispoLoss{.lower = 0, .upper = kEndless}) == "no error");
  CHECK(refusal(EntropyBonus{.coefficient = -0.01}) == "no error");  // punishes entropy
  CHECK(refusal(IcePop{.low = 1, .high = 1}) == "no error");
  CHECK(refusal(Rloo{}.aggregation) == "no error");
}

TEST_CASE("an objective is validated with all of its parts", "[objective]") {
  Dapo dapo;
  CHECK_NOTHROW(validate_objective(dapo));
  dapo.loss.clip_low = kNan;
  CHECK_THROWS_WITH(validate_objective(dapo), ContainsSubstring("clip_low"));
}

namespace {
struct OwnPenalty {
  static constexpr bool is_regularizer = true;
  template <class S>
  S operator()(const TokenTerms<S>& t) const {
    return t.entropy;
  }
};
}  // namespace

TEST_CASE("parts that are left out have defaults", "[objective]") {
  const Objective objective{LeaveOneOut{}, CispoLoss{}};
  STATIC_REQUIRE(
      std::is_same_v<std::remove_cv_t<decltype(objective)>, Objective<LeaveOneOut, CispoLoss>>);
  STATIC_REQUIRE(Regularizer<decltype(OwnPenalty{} + EntropyBonus{})>);
}
