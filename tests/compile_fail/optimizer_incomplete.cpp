// expect: an Optimizer needs learning_rate, validate, describe, make_state and step
#include "dualagent/train/weight_updater.hpp"
#include "support/bigram_model.hpp"

struct Descent {
  double learning_rate = 0.1;
};

int main() {
  BigramModel model(3);
  dualagent::WeightUpdater updater(model, dualagent::UpdateOptionsFor<Descent>{});
}
