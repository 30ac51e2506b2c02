// expect: a Learner needs backward, score, parameters
#include "dualagent/rollout/pairing.hpp"
#include "dualagent/train/supervised.hpp"
#include "support/bigram_model.hpp"

using namespace dualagent;

int main() {
  BigramModel model(20);
  SharedWeights pairing{model};
  SupervisedTrainer trainer{pairing};
}
