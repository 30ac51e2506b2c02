// expect: needs a frozen copy of the model
#include "dualagent/train/trainer.hpp"
#include "support/bigram_model.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

struct Single : BigramModel {
  using BigramModel::BigramModel;
  BigramModel copy() const = delete;
};

int main() {
  Single model(toy::vocab);
  Protocol protocol{toy::Dialect{}, toy::Tools{toy::Successor<>{}}, Never{}};
  Trainer trainer{SharedWeights{model}, protocol, ExactMatch{}, MemAgent{}, LocalCollective{}};
}
