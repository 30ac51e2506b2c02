// expect: a TrajectoryStore needs 'ClaimResult claim
#include "dualagent/store/waiting.hpp"

struct OneWay {
  dualagent::CommitResult commit(std::span<const dualagent::TrainingRollout>) { return {}; }
};

int main() {
  OneWay store;
  dualagent::claim_when_ready(store, {}, [] { return false; });
}
