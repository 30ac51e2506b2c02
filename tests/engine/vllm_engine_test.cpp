#include "dualagent/engine/vllm_engine.hpp"

#include "dualagent/model/transformer.hpp"
#include "dualagent/rollout/pairing.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/http_server.hpp"

using namespace dualagent;

// What it does is tested with a double in http_engine_test.cpp, with the real one in
// real_engines_test.cpp.
static_assert(Sampler<VllmEngine>);
static_assert(TakesWeightsOf<VllmEngine, Transformer<float>>);
static_assert(!Learner<VllmEngine>);

TEST_CASE("vLLM that is not there is waited for, then named in an error", "[engine]") {
  const http_server::ClosedPort port;
  const std::string error = error_of([&] {
    VllmEngine engine({.url = port.root(), .vocab_size = 8, .restart_timeout_seconds = 0});
  });
  CHECK_THAT(error, ContainsSubstring("vLLM does not answer") && ContainsSubstring(port.root()));
}
