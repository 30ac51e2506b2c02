// expect: a Learner needs backward, score, parameters
#include "dualagent/rollout/pairing.hpp"
#include "support/remote_engine.hpp"

using namespace dualagent;

int main() {
  RemoteEngine engine(4), other(4);
  Learning role{other, engine};
}
