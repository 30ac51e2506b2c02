// expect: a pairing is due here, not a model; write SharedWeights{model}
#include "dualagent/train/trainer.hpp"
#include "support/bigram_model.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

struct Model : BigramModel {
  using BigramModel::BigramModel;
};

int main() {
  Model model(toy::vocab);
  Protocol protocol{toy::Dialect{}, toy::Tools{toy::Successor<>{}}, Never{}};
  Trainer trainer{model, protocol, ExactMatch{}, Recipe{Dapo{}}, LocalCollective{}};
}
