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
  CHECK(FixedLength{.max_tokens = 100}.weight(counts) == Approx(1.0 / 200));
}

TEST_CASE("the shipped aggregations obey the laws", "[objective][laws]") {
  laws::check_aggregation_laws(GlobalTokenMean{});
  laws::check_aggregation_laws(RolloutMean{});
  laws::check_aggregation_laws(SegmentMean{});
}

TEST_CASE("only the segment mean gives a rollout more weight for more segments", "[objective]") {
  // The same 8 tokens of a rollout in one segment or in 3 + 5; the other rollout has 4 tokens.
  const auto rollout_weight = [](const auto& aggregation, std::vector<double> segments) {
    TokenCounts split{.tokens = 12,
                      .rollouts = 2,
                      .segments = 1.0 + static_cast<double>(segments.size()),
                      .rollout_tokens = 8};
    double total = 0;
    for (const double tokens : segments) {
      split.segment_tokens = tokens;
      total += tokens * aggregation.weight(split);
    }
    return total;
  };
  CHECK(rollout_weight(GlobalTokenMean{}, {8}) ==
        Approx(rollout_weight(GlobalTokenMean{}, {3, 5})));
  CHECK(rollout_weight(RolloutMean{}, {8}) == Approx(rollout_weight(RolloutMean{}, {3, 5})));
  CHECK(rollout_weight(FixedLength{}, {8}) == Approx(rollout_weight(FixedLength{}, {3, 5})));
  CHECK(rollout_weight(SegmentMean{}, {8}) == Approx(1.0 / 2));
  CHECK(rollout_weight(SegmentMean{}, {3, 5}) == Approx(2.0 / 3));
}
