#include "dualagent/trace/sampled_summary.hpp"

#include "support/catch.hpp"
#include "support/summarized_rollouts.hpp"

using namespace dualagent;

namespace {

std::string text_of(const Context& context, const Span& span) {
  std::string text;
  for (const Token token : context.tokens(span)) text += summarized::letter(token);
  return text;
}

void check_summaries(const Rollout& rollout) {
  const std::vector<SampledSummary> found = sampled_summaries(rollout);
  REQUIRE(rollout.summaries == 1);
  REQUIRE(found.size() == 1);
  const Context& context = rollout.segments.at(found[0].segment).context;
  CHECK(text_of(context, context.spans()[found[0].span]) == "s5.");
  std::string history;
  for (const Span& span : context.spans().first(found[0].history_spans))
    history += text_of(context, span);
  CHECK(history == "?3c3.o4c4.o5");
  CHECK(count_history(rollout, found[0]) == 10);  // without "?3"
}

}  // namespace

TEST_CASE("a sampled summary is found with its history, in shared and in separate windows",
          "[trace]") {
  ScriptedModel one = summarized::counting_model(), other = summarized::counting_model();
  const Rollout shared = summarized::play(SharedWeights{one});
  const Rollout separate = summarized::play(SeparateWeights{one, other});
  REQUIRE(shared.segments.size() == 2);
  REQUIRE(separate.segments.size() == 3);
  check_summaries(shared);
  check_summaries(separate);
}

TEST_CASE("a copy of a summary is not a sampled one, and a rollout may have none", "[trace]") {
  CHECK(sampled_summaries(Rollout{}).empty());
  Rollout fork;
  fork.segments.emplace_back();
  fork.segments[0].context.append(Provenance::summary, std::vector<Token>{1, 2},
                                  AgentRole::summarizer);
  fork.segments[0].context.append(Provenance::action, std::vector<Token>{3}, AgentRole::summarizer);
  CHECK(sampled_summaries(fork).empty());
}
