#include "dualagent/objective/aggregation.hpp"

#include "laws/objective_laws.hpp"
#include "support/catch.hpp"

using namespace dualagent;

namespace {
// A token in a segment of 3 of a rollout of 8 tokens; 12 tokens, 2 rollouts, 3 segments in all.
constexpr TokenCounts counts{
    .tokens = 12, .rollouts = 2, .segments = 3, .rollout_tokens = 8, .segment_tokens = 3};
}  // namespace

TEST_CASE("aggregations weigh tokens as they say", "[objective]") {
  CHECK(GlobalTokenMean{}.weight(counts) == Approx(1.0 / 12));
  CHECK(RolloutMean{}.weight(counts) == Approx(1.0 / 16));
  CHECK(SegmentMean{}.weight(counts) == Approx(1.0 / 9));
}

TEST_CASE("the shipped aggregations obey the laws", "[objective][laws]") {
  laws::check_aggregation_laws(GlobalTokenMean{});
  laws::check_aggregation_laws(RolloutMean{});
  laws::check_aggregation_laws(SegmentMean{});
}
