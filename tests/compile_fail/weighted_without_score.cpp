// expect: a Reward needs 'std::optional<double> score
#include "dualagent/reward/reward_sum.hpp"

using namespace dualagent;

struct Pays {
  double reward(const Task&, const Rollout&) const { return 1.0; }
};

int main() { RewardSum sum{Weighted{1.0, Pays{}}, Weighted{0.5, ExactMatch{}}}; }
