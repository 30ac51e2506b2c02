// expect: a pairing is due here, not a model; write SharedWeights{model}
#include "dualagent/rollout/scheduler.hpp"
#include "support/bigram_model.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

int main() {
  BigramModel model(toy::vocab);
  Protocol protocol{toy::Dialect{}, toy::Tools{toy::Successor<>{}}, Never{}};
  RolloutScheduler scheduler{model, protocol};
}
