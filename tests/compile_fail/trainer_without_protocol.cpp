// expect: a Protocol is due here; write Protocol
#include "dualagent/train/trainer.hpp"
#include "support/bigram_model.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

int main() {
  BigramModel model(toy::vocab);
  Trainer trainer{SharedWeights{model}, toy::Dialect{}, ExactMatch{}, Recipe{Dapo{}}};
}
