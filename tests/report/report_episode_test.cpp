#include "dualagent/report/report_episode.hpp"

#include <string>
#include <vector>

#include "dualagent/summary/view.hpp"
#include "support/catch.hpp"

using namespace dualagent;

namespace {

using Tokens = std::vector<Token>;

Rollout example() {
  Rollout rollout;
  rollout.task_id = "t1";
  rollout.ending = "answered";
  rollout.answer = "42";
  rollout.reward = 1.0;
  Segment first;
  first.context.append(Provenance::prompt, Tokens{1});
  first.context.append(
      BackendAccess::sampled(AgentRole::answerer, 6, {2, 3, 4}, {-1.0F, -2.0F, -6.0F}));
  Segment second{AgentRole::answerer, 0, {}};
  second.context.append(Provenance::prompt, Tokens{1});
  second.context.append(Provenance::summary, Tokens{9}, AgentRole::summarizer);
  rollout.segments = {first, second};
  return rollout;
}

std::string number(Token token) { return std::to_string(token); }

}  // namespace

TEST_CASE("a rollout becomes texts with what is known of their origin", "[report]") {
  const ReportEpisode episode =
      make_report_episode(example(), number, AllSegments{},
                          {.stage = "after training", .expected = "43", .solved = false});
  CHECK(episode.task == "t1");
  CHECK(episode.stage == "after training");
  CHECK(!episode.solved);
  CHECK(episode.ending == "answered");
  CHECK(episode.answer == "42");
  CHECK(episode.expected == "43");
  CHECK(episode.reward == 1.0);
  REQUIRE(episode.segments.size() == 2);
  REQUIRE(episode.segments[0].spans.size() == 2);
  const ReportSpan& prompt = episode.segments[0].spans[0];
  CHECK(prompt.text == "1");
  CHECK(!prompt.trained);
  CHECK(!prompt.mean_log_prob);
  const ReportSpan& turn = episode.segments[0].spans[1];
  CHECK(turn.provenance == Provenance::sampled);
  CHECK(turn.text == "2 3 4");
  CHECK(turn.tokens == 3);
  CHECK(turn.trained);
  CHECK(turn.weight_versions == std::vector<VersionRun>{{6, 3}});
  CHECK(turn.mean_log_prob == -3.0);
  CHECK(!episode.segments[0].replacement);
  REQUIRE(episode.segments[1].replacement);
  CHECK(episode.segments[1].replacement->dropped_tokens == 3);
  CHECK(episode.segments[1].replacement->summary_tokens == 1);
  CHECK(episode.segments[1].spans[1].agent == AgentRole::summarizer);
}

TEST_CASE("an episode shows the tokens that its view trains, and no given ones", "[report]") {
  const ReportEpisode final = make_report_episode(example(), number, FinalSegment{}, {});
  for (const ReportSegment& segment : final.segments)
    for (const ReportSpan& span : segment.spans) CHECK(!span.trained);
  Rollout one = example();
  one.segments.pop_back();
  CHECK(make_report_episode(one, number, FinalSegment{}, {}).segments[0].spans[1].trained);
  one.status = RolloutStatus::aborted;
  CHECK(!make_report_episode(one, number, FinalSegment{}, {}).segments[0].spans[1].trained);
}

TEST_CASE("a rollout without an answer shows none", "[report]") {
  Rollout rollout = example();
  rollout.answer.reset();
  CHECK(make_report_episode(rollout, number, AllSegments{}, {}).answer.empty());
}
