#include "dualagent/core/types.hpp"

#include <limits>
#include <type_traits>

#include "support/catch.hpp"

using namespace dualagent;

static_assert(std::is_same_v<Token, std::int32_t>);  // the type of files and of other libraries
static_assert(std::numeric_limits<WeightVersion>::digits == 64);

TEST_CASE("the two agents have names", "[core]") {
  CHECK(to_string(AgentRole::answerer) == "answerer");
  CHECK(to_string(AgentRole::summarizer) == "summarizer");
}
