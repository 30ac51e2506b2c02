#include "dualagent/service/sampler_loop_options.hpp"

#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

TEST_CASE("a decode batch without places is refused, a queue without is not", "[service]") {
  CHECK_THAT(error_of([] { SamplerLoopOptions{.max_running = 0}.validate(); }),
             ContainsSubstring("max_running is 0"));
  SamplerLoopOptions{.max_queued = 0}.validate();
}
