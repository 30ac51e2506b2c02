#include "dualagent/train/step_rows.hpp"

#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "dualagent/collective/local.hpp"
#include "support/catch.hpp"

using namespace dualagent;

namespace {

/// Segments: [prompt 2, turn 2, observation 1, turn 1] of the Answerer, [prompt 2, summary 1] of
/// the Summarizer, and one in which nothing was sampled.
Rollout two_segments() {
  Rollout rollout;
  Context first;
  first.append(Provenance::prompt, std::vector<Token>{1, 2});
  first.append(BackendAccess::sampled(AgentRole::answerer, 0, {3, 4}, {-0.5F, -0.25F}));
  first.append(Provenance::observation, std::vector<Token>{5});
  first.append(BackendAccess::sampled(AgentRole::answerer, 0, {6}, {-1.0F}));
  rollout.segments.push_back({AgentRole::answerer, {}, first});
  Context second;
  second.append(Provenance::prompt, std::vector<Token>{1, 2});
  second.append(BackendAccess::sampled(AgentRole::summarizer, 0, {7}, {-2.0F}));
  rollout.segments.push_back({AgentRole::summarizer, 0, second});
  Context third;
  third.append(Provenance::prompt, std::vector<Token>{1, 2});
  rollout.segments.push_back({AgentRole::answerer, 0, third});
  return rollout;
}

/// Rollouts 0 and 2, whose tokens have the advantages 10 i + segment.
StepRows example_rows() {
  StepRows rows;
  for (const std::size_t i : {0U, 2U})
    rows.append(
        two_segments(), i, [](std::size_t, const Span& span) { return span.is_sampled(); },
        [&](std::size_t segment, const Span&) {
          return 10.0 * static_cast<double>(i) + static_cast<double>(segment);
        },
        [](AgentRole owner) { return owner == AgentRole::answerer ? 0U : 1U; });
  return rows;
}

/// Notes the rollouts it is asked about; credits 1, 2, 3 ... along a rollout.
struct Recorder {
  std::vector<std::vector<double>>* advantages;
  std::vector<std::vector<double>>* log_ratios;
  std::vector<std::vector<std::size_t>>* segments;
  void estimate(std::span<const double>, std::span<const std::size_t>, std::span<double>) const {}
  void credit_tokens(const RolloutTokens& tokens, const TokenCredits& credits) const {
    advantages->emplace_back(tokens.advantage.begin(), tokens.advantage.end());
    log_ratios->emplace_back(tokens.reference_log_ratio.begin(), tokens.reference_log_ratio.end());
    segments->emplace_back(tokens.segment_begin.begin(), tokens.segment_begin.end());
    for (std::size_t t = 0; t < tokens.size(); ++t) {
      credits.advantage[t] = static_cast<double>(t + 1);
      credits.value_target[t] = -credits.advantage[t] - tokens.value[t];
    }
  }
};

}  // namespace

TEST_CASE("rows know their rollout, segment, model and trained tokens", "[train]") {
  const StepRows rows = example_rows();
  REQUIRE(rows.rows.size() == 4);
  CHECK(rows.batch.tokens ==
        std::vector<Token>{1, 2, 3, 4, 5, 6, 1, 2, 7, 1, 2, 3, 4, 5, 6, 1, 2, 7});
  CHECK(rows.batch.advantage ==
        std::vector<float>{0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 20, 20, 0, 20, 0, 0, 21});
  CHECK(rows.rows[1].rollout == 0);
  CHECK(rows.rows[1].segment == 1);
  CHECK(rows.rows[1].model == 1);
  CHECK(rows.rows[1].tokens == std::array{0.0, 1.0});
  CHECK(rows.rows[2].rollout == 2);
  CHECK(rows.rows[2].tokens == std::array{3.0, 0.0});
  CHECK(rows.first_row(0) == 0);
  CHECK(rows.first_row(1) == 2);  // rollout 1 has no row
  CHECK(rows.first_row(2) == 2);
  CHECK(rows.first_row(3) == 4);
}

TEST_CASE("the rows of one model are copied, what is found for them is written back", "[train]") {
  StepRows rows = example_rows();
  PackedBatch batch;
  const auto copied = rows.copy_rows(
      1, [](std::size_t rollout) { return rollout > 0; }, batch);
  CHECK(copied == std::vector<std::size_t>{3});
  CHECK(batch.tokens == std::vector<Token>{1, 2, 7});
  rows.copy_rows(
      0, [](std::size_t) { return true; }, batch);
  CHECK(batch.rows() == 3);
  const std::vector<double> found{0.25, 0.5, 0.75};
  rows.fill(rows.batch.old_value, copied, found);
  CHECK(rows.batch.old_value ==
        std::vector<float>{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.25F, 0.5F, 0.75F});
}

TEST_CASE("an estimator sees the trained tokens of one rollout after another", "[train]") {
  StepRows rows = example_rows();
  rows.batch.old_value[3] = 0.5F;
  rows.batch.reference_log_prob[8] = -2.5F;
  std::vector<std::vector<double>> advantages, log_ratios;
  std::vector<std::vector<std::size_t>> segments;
  rows.credit_tokens(Recorder{&advantages, &log_ratios, &segments});
  CHECK(advantages == std::vector<std::vector<double>>{{0, 0, 0, 1}, {20, 20, 20, 21}});
  CHECK(segments == std::vector<std::vector<std::size_t>>{{0, 3, 4}, {0, 3, 4}});
  CHECK(log_ratios[0] == std::vector<double>{-0.5, -0.25, -1.0, 0.5});
  CHECK(rows.batch.advantage ==
        std::vector<float>{0, 0, 1, 2, 0, 3, 0, 0, 4, 0, 0, 1, 2, 0, 3, 0, 0, 4});
  CHECK(rows.batch.value_target[3] == -2.5F);
  CHECK(rows.batch.value_target[4] == 0.0F);
}

TEST_CASE("whitening is over trained tokens alone", "[train]") {
  StepRows rows = example_rows();
  LocalCollective alone;
  rows.whiten(alone);
  // 0 three times, 1, 20 three times, 21: mean 82 / 8, squares 1642.
  const double mean = 82.0 / 8, deviation = std::sqrt((1642 - 8 * mean * mean) / 7);
  CHECK(rows.batch.advantage[2] == Approx(-mean / deviation));
  CHECK(rows.batch.advantage[8] == Approx((1 - mean) / deviation));
  CHECK(rows.batch.advantage[17] == Approx((21 - mean) / deviation));
  CHECK(rows.batch.advantage[4] == 0.0F);
}

TEST_CASE("a number that is not finite is named before it spreads to other tokens", "[train]") {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float poison : {std::numeric_limits<float>::quiet_NaN(), infinity, -infinity}) {
    // Token 12 of the batch is token 3 of row 2, of rollout 2.
    const std::string place = "rollout 2, token 3 of row 2";
    StepRows values = example_rows();
    values.batch.old_value[12] = poison;
    CHECK_THROWS_WITH(values.credit_tokens(Gae{}),
                      ContainsSubstring(place) && ContainsSubstring("value"));
    StepRows references = example_rows();
    references.batch.reference_log_prob[12] = poison;
    CHECK_THROWS_WITH(references.credit_tokens(KlInReward<RawReward>{}),
                      ContainsSubstring(place) && ContainsSubstring("reference"));
    StepRows advantages = example_rows();
    advantages.batch.advantage[12] = poison;
    LocalCollective alone;
    CHECK_THROWS_WITH(advantages.whiten(alone),
                      ContainsSubstring(place) && ContainsSubstring("advantage"));
  }
}
