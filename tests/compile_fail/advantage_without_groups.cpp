// expect: an AdvantageEstimator needs 'void estimate
#include "dualagent/train/trainer.hpp"
#include "support/bigram_model.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

struct BatchMean {
  void estimate(std::span<const double>, std::span<double>) const {}
};

int main() {
  BigramModel model(toy::vocab);
  Protocol protocol{toy::Dialect{}, toy::Tools{toy::Successor<>{}}, Never{}};
  Trainer trainer{SharedWeights{model}, protocol, ExactMatch{},
                  Recipe{Objective{BatchMean{}, ClipLoss{}, RolloutMean{}}}, LocalCollective{}};
}
