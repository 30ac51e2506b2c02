#include "dualagent/rollout/rollout_start.hpp"

#include <cmath>
#include <limits>

#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

TEST_CASE("each agent samples with its own options", "[rollout]") {
  const RolloutSampling sampling{{.temperature = 0.5F}, {.temperature = 0.25F}};
  CHECK(sampling.of(AgentRole::answerer).temperature == 0.5F);
  CHECK(sampling.of(AgentRole::summarizer).temperature == 0.25F);
}

TEST_CASE("a temperature is a finite number of at least 0", "[rollout]") {
  const auto refusal = [](float answerer, float summarizer) {
    return error_of([&] { RolloutSampling{{answerer}, {summarizer}}.validate(); });
  };
  CHECK(refusal(0.0F, 1.5F) == "no error");
  CHECK_THAT(refusal(-0.5F, 1.0F), ContainsSubstring("answerer.temperature is -0.5"));
  CHECK_THAT(refusal(1.0F, std::nanf("")), ContainsSubstring("summarizer.temperature is nan"));
  CHECK_THAT(refusal(1.0F, std::numeric_limits<float>::infinity()),
             ContainsSubstring("summarizer.temperature is inf"));
  // Logits that are divided by it would be infinite.
  CHECK_THAT(refusal(1e-40F, 1.0F), ContainsSubstring("answerer.temperature is") &&
                                        ContainsSubstring("which takes the most probable token"));
  CHECK(refusal(1e-6F, 1.0F) == "no error");
}

TEST_CASE("what leaves tokens out is named where it cannot be meant", "[rollout]") {
  const auto refusal = [](const SamplingOptions& summarizer) {
    return error_of([&] { RolloutSampling{{}, summarizer}.validate(); });
  };
  CHECK(refusal({.top_k = 1, .top_p = 0.01F, .min_p = 1.0F}) == "no error");
  CHECK_THAT(refusal({.top_p = 0.0F}), ContainsSubstring("summarizer.top_p is 0") &&
                                           ContainsSubstring("above 0 and at most 1"));
  CHECK_THAT(refusal({.top_p = 1.5F}), ContainsSubstring("summarizer.top_p is 1.5"));
  CHECK_THAT(refusal({.top_p = std::nanf("")}), ContainsSubstring("summarizer.top_p is nan"));
  CHECK_THAT(refusal({.min_p = -0.1F}), ContainsSubstring("summarizer.min_p is -0.1") &&
                                            ContainsSubstring("at least 0 and at most 1"));
  CHECK_THAT(refusal({.min_p = 1.1F}), ContainsSubstring("summarizer.min_p is 1.1"));
}
