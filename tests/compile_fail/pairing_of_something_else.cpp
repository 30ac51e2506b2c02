// expect: a Sampler needs submit, advance, release, reset
#include "dualagent/rollout/pairing.hpp"

int main() {
  int weights = 0;
  dualagent::SharedWeights pairing{weights};
}
