// expect: this view trains the tokens of a role that is Frozen
#include "dualagent/train/trainer.hpp"
#include "support/remote_engine.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

int main() {
  RemoteEngine engine(toy::vocab);
  BigramModel model(toy::vocab);
  Protocol protocol{toy::Dialect{}, toy::Tools{toy::Successor<>{}}, Never{}};
  Trainer trainer{SeparateWeights{model, Frozen{engine}}, protocol, ExactMatch{}, Recipe{Dapo{}}};
}
