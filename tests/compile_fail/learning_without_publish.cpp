// expect: the sampler of Learning.learner, sampler. needs .WeightVersion publish
#include "dualagent/rollout/pairing.hpp"
#include "support/remote_engine.hpp"

using namespace dualagent;

int main() {
  BigramModel learner(4), engine(4);
  SharedWeights pairing{Learning{learner, engine}};
}
