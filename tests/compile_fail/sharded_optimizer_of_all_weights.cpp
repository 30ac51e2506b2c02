// expect: a rank updates its share of the weights
#include "dualagent/collective/threads.hpp"
#include "dualagent/train/weight_updater.hpp"
#include "support/bigram_model.hpp"
#include "support/momentum.hpp"

using namespace dualagent;

void update(BigramModel& model, Sharded<ThreadCollective>& across) {
  WeightUpdater updater(model, UpdateOptionsFor<Momentum>{}, across);
}

int main() {}
