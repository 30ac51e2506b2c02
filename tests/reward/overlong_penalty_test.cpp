#include "dualagent/reward/overlong_penalty.hpp"

#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

namespace {
Rollout of_length(std::size_t tokens) {
  Rollout rollout;
  rollout.segments.emplace_back();
  Context& context = rollout.segments.back().context;
  context.append(Provenance::prompt, std::vector<Token>(50, 1));
  context.append(BackendAccess::sampled(AgentRole::answerer, 0, std::vector<Token>(tokens, 2),
                                        std::vector<float>(tokens, -1.0F)));
  return rollout;
}
}  // namespace

TEST_CASE("the overlong penalty falls linearly over its margin", "[reward]") {
  const OverlongPenalty penalty{.max_tokens = 100, .margin = 20};
  CHECK(*penalty.score({}, of_length(10)) == 0.0);
  CHECK(*penalty.score({}, of_length(80)) == 0.0);
  CHECK(*penalty.score({}, of_length(85)) == Approx(-0.25));
  CHECK(*penalty.score({}, of_length(100)) == -1.0);
  CHECK(*penalty.score({}, of_length(300)) == -1.0);
}

TEST_CASE("a margin of 0 or above the maximum is refused", "[reward]") {
  const auto refusal = [](OverlongPenalty penalty) {
    return error_of([&] { validate_all(penalty); });
  };
  CHECK(refusal({.max_tokens = 100, .margin = 0}) ==
        "margin is 0 (OverlongPenalty). Set it to a number of at least 1 and at most 100");
  CHECK_THAT(refusal({.max_tokens = 100, .margin = 101}), ContainsSubstring("margin is 101"));
  CHECK_THAT(refusal({.max_tokens = 0, .margin = 1}), ContainsSubstring("max_tokens is 0"));
  CHECK(refusal({.max_tokens = 100, .margin = 100}) == "no error");
}
