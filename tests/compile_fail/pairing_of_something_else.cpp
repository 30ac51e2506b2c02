// expect: a Sampler needs submit, advance, release, reset
#include "dualagent/rollout/pairing.hpp"

struct Weights {};

int main() {
  Weights weights;
  dualagent::SharedWeights pairing{weights};
}
