#include "dualagent/model/played_elsewhere.hpp"

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("an agent that is played elsewhere fits every window, and refuses to be played here",
          "[model]") {
  PlayedElsewhere agent;
  CHECK(agent.max_context_tokens() > 1U << 30U);
  CHECK(agent.advance([](Generation&&) {}) == 0);
  CHECK_THROWS_WITH(agent.submit({}), ContainsSubstring("this agent is played by others"));
}
