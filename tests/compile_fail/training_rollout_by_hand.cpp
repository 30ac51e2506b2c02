// expect: private within this context|calling a private constructor
#include "dualagent/store/training_rollout.hpp"

int main() {
  dualagent::TrainingRollout forged(dualagent::RolloutSource{"run", "writer", 0}, 1,
                                    dualagent::Rollout{});
}
