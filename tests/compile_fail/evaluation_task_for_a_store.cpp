// expect: evaluation tasks are not trained on
#include <vector>

#include "dualagent/store/play_training_rollouts.hpp"
#include "support/bigram_model.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

int main() {
  BigramModel model(toy::vocab);
  RolloutScheduler scheduler{SharedWeights{model},
                             Protocol{toy::Dialect{}, toy::Tools{toy::Successor<>{}}, Never{}}};
  std::vector<EvaluationTask> held_out;
  play_training_rollouts(scheduler, held_out, ExactMatch{}, RandomStream{}, TrainingPlay{});
}
