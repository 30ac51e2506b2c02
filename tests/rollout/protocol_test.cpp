#include "dualagent/rollout/protocol.hpp"

#include <type_traits>

#include "support/catch.hpp"
#include "support/toy_protocol.hpp"

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
