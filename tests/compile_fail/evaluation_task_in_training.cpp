// expect: evaluation tasks are not trained on
#include <span>

#include "dualagent/train/trainer.hpp"
#include "support/bigram_model.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

int main() {
  BigramModel model(toy::vocab);
  Protocol protocol{toy::Dialect{}, toy::Tools{toy::Successor<>{}}, Never{}};
  Trainer trainer{SharedWeights{model}, protocol, ExactMatch{}, Recipe<Dapo>{}, LocalCollective{}};
  const std::span<const EvaluationTask> held_out;
  trainer.step(held_out);
}
