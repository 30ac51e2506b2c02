#include "dualagent/trace/rollout.hpp"

#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("sampled tokens are counted over all segments, of both agents or of one", "[trace]") {
  Rollout rollout;
  CHECK(count_sampled(rollout) == 0);
  Segment first;
  first.context.append(Provenance::prompt, std::vector<Token>{1, 1, 1, 1});
  first.context.append(BackendAccess::sampled(AgentRole::answerer, 0, {2, 2}, {-1.0F, -1.0F}));
  first.context.append(BackendAccess::sampled(AgentRole::summarizer, 0, {3}, {-1.0F}));
  Segment second;
  second.context.append(Provenance::action, std::vector<Token>{2, 2});  // a copy is not sampled
  second.context.append(Provenance::demonstration, std::vector<Token>{2});
  second.context.append(
      BackendAccess::sampled(AgentRole::answerer, 0, {2, 2, 2}, {-1.0F, -1.0F, -1.0F}));
  rollout.segments = {first, second};
  CHECK(count_sampled(rollout) == 6);
  CHECK(count_sampled(rollout, AgentRole::answerer) == 5);
  CHECK(count_sampled(rollout, AgentRole::summarizer) == 1);
}

TEST_CASE("a new rollout has no answer, no reward and no parents", "[trace]") {
  const Rollout rollout;
  CHECK(rollout.status == RolloutStatus::finished);
  CHECK(!rollout.answer);
  CHECK(rollout.reward == 0.0);
  CHECK(!Segment{}.parent);
  CHECK(Segment{}.owner == AgentRole::answerer);
}

TEST_CASE("truncated and aborted have names of their own", "[trace]") {
  CHECK(to_string(RolloutStatus::finished) == "finished");
  CHECK(to_string(RolloutStatus::truncated) == "truncated");
  CHECK(to_string(RolloutStatus::aborted) == "aborted");
}
