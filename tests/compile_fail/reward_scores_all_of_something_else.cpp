// expect: a Reward's score_all must be
#include "dualagent/train/trainer.hpp"
#include "support/bigram_model.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

struct Eager {
  std::optional<double> score(const Task&, const Rollout&) const { return 1.0; }
  void score_all(const std::vector<Rollout>&) const {}
};

int main() {
  BigramModel model(toy::vocab);
  Protocol protocol{toy::Dialect{}, toy::Tools{toy::Successor<>{}}, Never{}};
  Trainer trainer{SharedWeights{model}, protocol, Eager{}, Recipe{Dapo{}}, LocalCollective{}};
}
