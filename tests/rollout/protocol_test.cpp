#include "dualagent/rollout/protocol.hpp"

#include <string>
#include <type_traits>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/toy_protocol.hpp"
#include "support/warnings.hpp"

using namespace dualagent;

TEST_CASE("a protocol replaces by a summary within wide limits unless told otherwise",
          "[rollout]") {
  const Protocol protocol{toy::Dialect{}, toy::Tools{toy::Successor<>{}}, Never{}};
  static_assert(std::is_same_v<decltype(protocol.rewriter), ReplaceBySummary>);
  CHECK(protocol.limits.max_context_tokens == 4096);
  CHECK(protocol.limits.max_turns == 64);
  CHECK(protocol.limits.max_calls == 64);
  CHECK(protocol.limits.max_summaries == 64);
}

TEST_CASE("a protocol keeps the policies it is given, by value", "[rollout]") {
  TokenBudget trigger{.max_tokens = 80};
  const Protocol protocol{toy::Dialect{.corrects = true}, toy::Tools{toy::Successor<>{}}, trigger,
                          KeepLastTurns{.turns = 3}, RolloutLimits{.max_turns = 5}};
  trigger.max_tokens = 1;
  CHECK(protocol.trigger.max_tokens == 80);
  CHECK(protocol.dialect.corrects);
  CHECK(protocol.rewriter.turns == 3);
  CHECK(protocol.limits.max_turns == 5);
  CHECK(protocol.limits.max_calls == 64);
}

namespace {

/// A dialect that says which tools it tells the model of.
struct Tells : toy::Dialect {
  std::vector<ToolSpec> told;
  const std::vector<ToolSpec>& tools() const { return told; }
};

std::string refusal(Tells dialect) {
  return error_of([&] { Protocol{dialect, toy::Tools{toy::Successor<>{}}, Never{}}; });
}

}  // namespace

TEST_CASE("a tool that the model is told of but that there is not is refused", "[rollout]") {
  Warnings warnings;
  CHECK(refusal({{}, {{.name = "successor"}}}) == "no error");
  CHECK_THAT(refusal({{}, {{.name = "successor"}, {.name = "search"}}}),
             ContainsSubstring("a tool 'search' that the tools do not have"));
  CHECK(warnings.count() == 0);
}

TEST_CASE("a tool that the dialect never names is warned of once", "[rollout]") {
  Warnings warnings;
  CHECK(refusal({}) == "no error");
  CHECK(warnings.count() == 1);
  CHECK_THAT(warnings.text(), ContainsSubstring("does not tell the model of the tool 'successor'"));
}

TEST_CASE("limits and policies that cannot be meant are refused", "[rollout]") {
  const auto limited = [](auto trigger, RolloutLimits limits) {
    return error_of([&] {
      Protocol{toy::Dialect{}, toy::Tools{toy::Successor<>{}}, trigger, ReplaceBySummary{}, limits};
    });
  };
  CHECK_THAT(limited(Never{}, {.max_context_tokens = 0}),
             ContainsSubstring("max_context_tokens is 0 (RolloutLimits)"));
  CHECK_THAT(limited(Never{}, {.max_turns = 0}), ContainsSubstring("max_turns is 0"));
  CHECK_THAT(limited(TokenBudget{}, {.max_context_tokens = 136}),
             ContainsSubstring("max_tokens is 2048, the context window has 136 tokens"));
  CHECK_THAT(limited(TurnCount{.turns = 0}, {}), ContainsSubstring("TurnCount"));
  CHECK(limited(Never{}, {.max_calls = 0, .max_summaries = 0}) == "no error");
}
