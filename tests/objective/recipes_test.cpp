#include "dualagent/objective/recipes.hpp"

#include <concepts>

#include "support/catch.hpp"

using namespace dualagent;

namespace {

/// Parts of an objective, as types.
template <class O, class Advantage, class Loss, class Aggregation, class Correction = NoCorrection,
          class Penalty = NoRegularizer>
constexpr bool is_made_of =
    std::same_as<decltype(O::advantage), Advantage>&& std::same_as<decltype(O::loss), Loss>&&
        std::same_as<decltype(O::aggregation), Aggregation>&& std::same_as<
            decltype(O::correction), Correction>&& std::same_as<decltype(O::regularizer), Penalty>;

template <class Loss>
bool clips(const Loss& loss, double low, double high) {
  return loss.clip_low == low && loss.clip_high == high;
}

}  // namespace

// The expected parts and constants are the papers', or those of the implementation that
// docs/objectives.md names.
TEST_CASE("named objectives have the parts and constants of their papers", "[objective]") {
  STATIC_REQUIRE(is_made_of<Grpo, GroupNormalized, ClipLoss, RolloutMean>);
  CHECK(clips(Grpo{}.loss, 0.2, 0.2));
  CHECK(Grpo{}.advantage.epsilon == 1e-6);

  STATIC_REQUIRE(is_made_of<DrGrpo, GroupCentered, ClipLoss, FixedLength>);
  CHECK(clips(DrGrpo{}.loss, 0.2, 0.2));
  CHECK(DrGrpo{3000}.aggregation.max_tokens == 3000);

  STATIC_REQUIRE(is_made_of<Dapo, GroupNormalized, ClipLoss, GlobalTokenMean>);
  CHECK(clips(Dapo{}.loss, 0.2, 0.28));

  STATIC_REQUIRE(is_made_of<Gspo, GroupNormalized, GspoLoss, SegmentMean>);
  CHECK(clips(Gspo{}.loss, 3e-4, 4e-4));

  STATIC_REQUIRE(is_made_of<Cispo, GroupNormalized, CispoLoss, GlobalTokenMean>);
  CHECK(Cispo{}.loss.lower == 0.0);
  CHECK(Cispo{}.loss.upper == 1.28);

  STATIC_REQUIRE(is_made_of<Rloo, LeaveOneOut, PolicyGradient, FixedLength>);
  CHECK(Rloo{}.aggregation.max_tokens == 1);

  STATIC_REQUIRE(
      is_made_of<ReinforcePlusPlus, Whitened<KlInReward<RawReward>>, ClipLoss, GlobalTokenMean>);
  CHECK(clips(ReinforcePlusPlus{}.loss, 0.2, 0.2));
  STATIC_REQUIRE(
      is_made_of<ReinforcePlusPlusBaseline, Whitened<GroupCentered>, ClipLoss, GlobalTokenMean>);
  CHECK(clips(ReinforcePlusPlusBaseline{}.loss, 0.2, 0.2));

  STATIC_REQUIRE(
      is_made_of<Ppo, Whitened<Gae>, ClipLoss, GlobalTokenMean, NoCorrection, ValueLoss>);
  CHECK(clips(Ppo{}.loss, 0.2, 0.2));
  CHECK(Ppo{}.advantage.estimator.gamma == 1.0);
  CHECK(Ppo{}.advantage.estimator.lambda == 1.0);
}
