// expect: a ModelBackend needs submit, advance, release, reset
#include "dualagent/rollout/pairing.hpp"
#include "dualagent/train/supervised.hpp"
#include "support/bigram_model.hpp"

using namespace dualagent;

int main() {
  BigramModel model(20);
  SharedWeights pairing{model};
  SupervisedTrainer trainer{pairing};
}
