// expect: a Reward needs 'std::optional<double> score
#include "dualagent/reward/per_call_bonus.hpp"

using namespace dualagent;

struct Pays {
  double reward(const Task&, const Rollout&) const { return 1.0; }
};

int main() { PerCallBonus<Pays> bonus{}; }
