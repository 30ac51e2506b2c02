// expect: dualagent: a RunWork needs 'RunRecord step\(RunStep\)', 'void save\(Checkpoint&\) const'
#include "dualagent/train/training_run.hpp"

struct Forgetful {
  dualagent::RunRecord step(dualagent::RunStep) { return {}; }
  void load(const dualagent::StoredCheckpoint&) {}
};

int main() {
  dualagent::TrainingRun run({.folder = "out", .steps = 1});
  Forgetful work;
  return run.train(work).interrupted() ? 1 : 0;
}
