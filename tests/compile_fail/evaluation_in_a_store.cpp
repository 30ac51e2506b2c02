// expect: a store takes TrainingRollouts only
#include "dualagent/store/memory_store.hpp"
#include "dualagent/train/evaluation.hpp"

int main() {
  const dualagent::Evaluation evaluation;
  dualagent::MemoryStore store;
  store.commit(evaluation.rollouts);
}
