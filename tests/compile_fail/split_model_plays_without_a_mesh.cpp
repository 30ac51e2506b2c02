// expect: a pair with a model on several ranks, Frozen or not, plays over Mesh.data, model.
#include "dualagent/collective/local.hpp"
#include "dualagent/model/parallel_transformer.hpp"
#include "dualagent/reward/reward.hpp"
#include "dualagent/train/first_rank_reward.hpp"

using namespace dualagent;

/// As Trainer asks for it.
void ask(const ExactMatch& reward, LocalCollective& collective) {
  using Pair = SharedWeights<Frozen<ParallelTransformer<LocalCollective>>>;
  asked_reward<Pair>(reward, collective);
}
int main() {}
