// expect: a TokenLoss needs 'template <class S> S operator
#include "dualagent/train/trainer.hpp"
#include "support/bigram_model.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

struct PlainNumbers {
  double operator()(double log_prob, double advantage) const { return -log_prob * advantage; }
};

int main() {
  BigramModel model(toy::vocab);
  Protocol protocol{toy::Dialect{}, toy::Tools{toy::Successor<>{}}, Never{}};
  Trainer trainer{SharedWeights{model}, protocol, ExactMatch{},
                  Recipe{Objective{GroupNormalized{}, PlainNumbers{}, RolloutMean{}}},
                  LocalCollective{}};
}
