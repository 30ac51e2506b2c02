#include "dualagent/train/step_streams.hpp"

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("a step's random numbers follow from seed and step, each use with its own", "[train]") {
  const RandomStream step = RandomStream::from_seed(7).child(3);
  const StepStreams streams{.seed = 7, .step = 3};
  CHECK(streams.rollouts().bits(0) == step.child(0).bits(0));
  CHECK(streams.minibatches(0).bits(0) == step.child(1).bits(0));
  CHECK(streams.minibatches(2).bits(0) == step.child(3).bits(0));
  // Groups 0 to 4 of a step of five draw from the children before.
  CHECK(StepStreams::replacements(streams.rollouts(), 5).bits(0) == step.child(0).child(5).bits(0));
  CHECK(StepStreams::fork_choice(streams.rollouts(), 5).bits(0) == step.child(0).child(6).bits(0));
}
