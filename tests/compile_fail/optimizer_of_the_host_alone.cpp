// expect: a learner that computes on another machine needs an optimizer with make_state_on
#include "dualagent/train/weight_updater.hpp"
#include "support/momentum.hpp"
#include "support/other_machine.hpp"

int main() {
  Elsewhere model(3);
  dualagent::WeightUpdater updater(model, dualagent::UpdateOptionsFor<Momentum>{});
}
