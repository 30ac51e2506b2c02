// expect: this view never trains one of the two models; write Frozen
#include "dualagent/train/trainer.hpp"
#include "support/remote_engine.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

int main() {
  BigramModel model(toy::vocab), other(toy::vocab);
  Protocol protocol{toy::Dialect{}, toy::Tools{toy::Successor<>{}}, Never{}};
  Trainer trainer{SeparateWeights{model, other}, protocol, ExactMatch{},
                  Recipe{Dapo{}, AnswererOnly{}}};
}
