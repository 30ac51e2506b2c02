// expect: the sampler reports none
#include "dualagent/train/trainer.hpp"
#include "support/bigram_model.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

struct Mute : BigramModel {
  static constexpr bool reports_log_probs = false;
  using BigramModel::BigramModel;
  Mute copy() const { return *this; }
};

int main() {
  Mute model(toy::vocab);
  Protocol protocol{toy::Dialect{}, toy::Tools{toy::Successor<>{}}, Never{}};
  Trainer trainer{
      SharedWeights{model}, protocol, ExactMatch{},
      Recipe{Objective{GroupNormalized{}, ClipLoss{}, GlobalTokenMean{}, TruncatedIs{}}},
      LocalCollective{}};
}
