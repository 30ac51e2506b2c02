#include "dualagent/reward/compression_bonus.hpp"

#include <cmath>

#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

namespace {

/// A window with a task of 1000 tokens, a history and its summary.
Segment summarized(std::size_t history_tokens, std::size_t summary_tokens) {
  Segment segment;
  segment.context.append(Provenance::prompt, std::vector<Token>(1000, 1));
  segment.context.append(Provenance::observation, std::vector<Token>(history_tokens, 2));
  segment.context.append(Provenance::injected, std::vector<Token>(500, 3));
  segment.context.append(BackendAccess::sampled(AgentRole::summarizer, 0,
                                                std::vector<Token>(summary_tokens, 4),
                                                std::vector<float>(summary_tokens, -1.0F)));
  return segment;
}

double score(std::vector<Segment> segments) {
  Rollout rollout;
  rollout.segments = std::move(segments);
  return *CompressionBonus{}.score({}, rollout);
}

}  // namespace

TEST_CASE("the bonus goes by tokens of history and summary, without task and request", "[reward]") {
  CHECK(score({summarized(199, 100)}) == 0.05);
  CHECK(score({summarized(200, 100)}) == 0.1);
  CHECK(score({summarized(500, 100)}) == 0.1);
  CHECK(score({summarized(501, 100)}) == 0.05);
  CHECK(score({summarized(151, 100)}) == 0.05);
  CHECK(score({summarized(150, 100)}) == 0.0);
  CHECK(score({summarized(10, 100)}) == 0.0);
}

TEST_CASE("more summaries do not earn more", "[reward]") {
  CHECK(score({}) == 0.0);
  CHECK(score({summarized(300, 100), summarized(300, 100), summarized(300, 100)}) == Approx(0.1));
  CHECK(score({summarized(300, 100), summarized(100, 100)}) == Approx(0.05));
}

TEST_CASE("ratios that cannot be met are refused", "[reward]") {
  const auto refusal = [](CompressionBonus bonus) {
    return error_of([&] { validate_all(bonus); });
  };
  CHECK_THAT(refusal({.min_ratio = 3.0, .max_ratio = 2.0}), ContainsSubstring("max_ratio is 2"));
  CHECK_THAT(refusal({.bonus = std::nan("")}), ContainsSubstring("bonus is nan"));
  CHECK(refusal({}) == "no error");
}
