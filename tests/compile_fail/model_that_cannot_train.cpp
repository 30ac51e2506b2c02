// expect: a Learner needs backward, score, parameters
#include "dualagent/model/scripted.hpp"
#include "dualagent/train/trainer.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

int main() {
  ScriptedModel model(toy::vocab, {});
  Protocol protocol{toy::Dialect{}, toy::Tools{toy::Successor<>{}}, Never{}};
  Trainer trainer{SharedWeights{model}, protocol, ExactMatch{}, Recipe{Dapo{}}};
}
