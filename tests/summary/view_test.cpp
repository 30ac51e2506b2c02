#include "dualagent/summary/view.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

namespace {

using Tokens = std::vector<Token>;

Sampled said(AgentRole agent, Token token) {
  return BackendAccess::sampled(agent, 0, {token}, {-1.0F});
}

Segment window(AgentRole owner, std::optional<std::size_t> parent, const Tokens& turns,
               const Tokens& summaries) {
  Segment segment{owner, parent, {}};
  segment.context.append(Provenance::prompt, Tokens{0});
  for (const Token turn : turns) segment.context.append(said(AgentRole::answerer, turn));
  for (const Token summary : summaries)
    segment.context.append(said(AgentRole::summarizer, summary));
  return segment;
}

/// Turns are 1, 2, 3, 4; summaries 11 and 12.
Rollout shared() {
  Rollout rollout;
  rollout.segments = {window(AgentRole::answerer, {}, {1, 2}, {11}),
                      window(AgentRole::answerer, 0, {3}, {12}),
                      window(AgentRole::answerer, 1, {4}, {})};
  return rollout;
}

/// The same with summaries in windows of their own.
Rollout separate() {
  Rollout rollout;
  rollout.segments = {
      window(AgentRole::answerer, {}, {1, 2}, {}), window(AgentRole::summarizer, 0, {}, {11}),
      window(AgentRole::answerer, 0, {3}, {}), window(AgentRole::summarizer, 2, {}, {12}),
      window(AgentRole::answerer, 2, {4}, {})};
  return rollout;
}

template <class View>
Tokens trained(const Rollout& rollout, const View& view) {
  Tokens tokens;
  for (std::size_t s = 0; s < rollout.segments.size(); ++s)
    for (const Span& span : rollout.segments[s].context.spans())
      if (is_trained(view, rollout, s, span))
        tokens.push_back(rollout.segments[s].context.tokens(span)[0]);
  std::sort(tokens.begin(), tokens.end());
  return tokens;
}

struct NoView {
  bool trains(const Rollout&, const Span&) const { return true; }
};
static_assert(!TrainingView<NoView>);

}  // namespace

TEST_CASE("each view trains the tokens it names, wherever the summaries stand", "[summary][view]") {
  for (const Rollout& rollout : {shared(), separate()}) {
    CHECK(trained(rollout, AllSegments{}) == Tokens{1, 2, 3, 4, 11, 12});
    CHECK(trained(rollout, AnswererOnly{}) == Tokens{1, 2, 3, 4});
    CHECK(trained(rollout, SummarizerOnly{}) == Tokens{11, 12});
    CHECK(trained(rollout, FinalSegment{}) == Tokens{4});
    CHECK(trained(rollout, FinalSegment{} | SummarizerOnly{}) == Tokens{4, 11, 12});
  }
}

TEST_CASE("the final segment of a rollout without summaries is all of it", "[summary][view]") {
  Rollout rollout;
  rollout.segments = {window(AgentRole::answerer, {}, {1, 2, 3}, {})};
  CHECK(trained(rollout, FinalSegment{}) == Tokens{1, 2, 3});
}

TEST_CASE("a rollout that was cut behind a summary ends in the Answerer's last window",
          "[summary][view]") {
  Rollout rollout = separate();
  rollout.segments.pop_back();  // the summary 12 was made, its continuation never begun
  CHECK(trained(rollout, FinalSegment{}) == Tokens{3});
}

TEST_CASE("weights of agents that cannot be meant are refused", "[summary][view]") {
  const auto refusal = [](const auto& view) { return error_of([&] { validate_all(view); }); };
  CHECK(refusal(PerAgentMeans<>{}) == "no error");
  CHECK(refusal(PerAgentMeans<>{.answerer_weight = 0.0}) == "no error");
  CHECK_THAT(refusal(PerAgentMeans<>{.answerer_weight = 0.0, .summarizer_weight = 0.0}),
             ContainsSubstring("both agents have weight 0"));
  CHECK_THAT(refusal(PerAgentMeans<>{.summarizer_weight = -1.0}),
             ContainsSubstring("summarizer_weight is -1"));
  CHECK_THAT(refusal(FinishedOnly<PerAgentMeans<>>{{.answerer_weight = -1.0}}),
             ContainsSubstring("answerer_weight"));
}
