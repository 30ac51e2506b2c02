// expect: a Sampler needs submit, advance, release, reset
#include "dualagent/rollout/pairing.hpp"
#include "support/remote_engine.hpp"

using namespace dualagent;

int main() {
  BigramModel learner(4);
  int engine = 0;
  Learning role{learner, engine};
}
