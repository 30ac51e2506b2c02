// expect: a critic needs both
#include "dualagent/train/trainer.hpp"
#include "support/bigram_model.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

int main() {
  BigramModel model(toy::vocab, BigramModel::Critic::per_token);
  Protocol protocol{toy::Dialect{}, toy::Tools{toy::Successor<>{}}, Never{}};
  Trainer trainer{SharedWeights{model}, protocol, ExactMatch{},
                  Recipe{Objective{Whitened<Gae>{}, ClipLoss{}, GlobalTokenMean{}}},
                  LocalCollective{}};
}
