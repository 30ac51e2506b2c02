// expect: a Reward needs 'std::optional<double> score
#include "dualagent/reward/guarded_bonus.hpp"

using namespace dualagent;

struct Pays {
  double reward(const Task&, const Rollout&) const { return 1.0; }
};

int main() { GuardedBonus bonus{ExactMatch{}, Pays{}}; }
