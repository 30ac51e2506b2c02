// expect: one entry per segment counts a rollout
#include "dualagent/train/trainer.hpp"
#include "support/bigram_model.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

struct PerSegment : GroupNormalized {
  static constexpr StatisticsUnit statistics = StatisticsUnit::segment;
};

int main() {
  BigramModel model(toy::vocab);
  Protocol protocol{toy::Dialect{}, toy::Tools{toy::Successor<>{}}, Never{}};
  Trainer trainer{SharedWeights{model}, protocol, ExactMatch{},
                  Recipe{Objective{Whitened<PerSegment>{}, ClipLoss{}, GlobalTokenMean{}}},
                  LocalCollective{}};
}
