#include "dualagent/service/sampler_loop_options.hpp"

#include <limits>

#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

TEST_CASE("a decode batch without places is refused, a queue without is not", "[service]") {
  CHECK_THAT(error_of([] { SamplerLoopOptions{.max_running = 0}.validate(); }),
             ContainsSubstring("max_running is 0"));
  SamplerLoopOptions{.max_queued = 0}.validate();
}

TEST_CASE("a queue without an end has room", "[service]") {
  constexpr std::size_t kMost = std::numeric_limits<std::size_t>::max();
  CHECK(SamplerLoopOptions{.max_running = 3, .max_queued = 4}.most() == 7);
  CHECK(SamplerLoopOptions{.max_running = 3, .max_queued = kMost}.most() == kMost);
  CHECK(SamplerLoopOptions{.max_running = kMost, .max_queued = 1}.most() == kMost);
}

TEST_CASE("a label that no reply can hold is refused", "[service]") {
  CHECK_THAT(error_of([] { SamplerLoopOptions{.served_label = "caf\xe9"}.validate(); }),
             ContainsSubstring("served_label is not valid UTF-8"));
}
