// expect: a model is kept by reference and must outlive what uses it
#include "dualagent/rollout/pairing.hpp"
#include "support/remote_engine.hpp"

using namespace dualagent;

int main() {
  BigramModel answerer(4);
  SeparateWeights pairing{answerer, Frozen{RemoteEngine(4)}};
}
