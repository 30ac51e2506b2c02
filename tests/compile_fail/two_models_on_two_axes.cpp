// expect: two models of a pair that lie on several ranks lie on one axis
#include "dualagent/collective/local.hpp"
#include "dualagent/collective/threads.hpp"
#include "dualagent/model/parallel_transformer.hpp"
#include "dualagent/rollout/play_together.hpp"

using namespace dualagent;

void play(ParallelTransformer<LocalCollective>& answerer,
          ParallelTransformer<ThreadCollective>& summarizer) {
  play_together(SeparateWeights{answerer, summarizer}, {}, [] { return std::vector<Rollout>(); });
}
int main() {}
