// expect: both roles are Frozen, so there is nothing to train
#include "dualagent/train/trainer.hpp"
#include "support/remote_engine.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

int main() {
  RemoteEngine engine(toy::vocab);
  BigramModel model(toy::vocab);
  Protocol protocol{toy::Dialect{}, toy::Tools{toy::Successor<>{}}, Never{}};
  Trainer trainer{SeparateWeights{Frozen{engine}, Frozen{model}}, protocol, ExactMatch{},
                  Recipe{Dapo{}}};
}
