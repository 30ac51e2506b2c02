// expect: its group_size is 1
#include "dualagent/train/trainer.hpp"
#include "support/bigram_model.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

struct Alone : Recipe<Dapo> {
  static constexpr std::size_t group_size = 1;
};

int main() {
  BigramModel model(toy::vocab);
  Protocol protocol{toy::Dialect{}, toy::Tools{toy::Successor<>{}}, Never{}};
  Trainer trainer{SharedWeights{model}, protocol, ExactMatch{}, Alone{}, LocalCollective{}};
}
