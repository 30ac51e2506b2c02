// expect: has no .bool has_value_head
#include "dualagent/train/trainer.hpp"
#include "support/bigram_model.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

struct Blind : BigramModel {
  using BigramModel::BigramModel;
  bool has_value_head() const = delete;
};

int main() {
  Blind model(toy::vocab);
  Protocol protocol{toy::Dialect{}, toy::Tools{toy::Successor<>{}}, Never{}};
  Trainer trainer{SharedWeights{model}, protocol, ExactMatch{}, Recipe{Ppo{}}, LocalCollective{}};
}
