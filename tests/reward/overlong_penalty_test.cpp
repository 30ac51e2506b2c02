#include "dualagent/reward/overlong_penalty.hpp"

#include <vector>

#include "support/catch.hpp"

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
