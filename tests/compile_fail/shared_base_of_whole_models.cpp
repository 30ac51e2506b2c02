// expect: the agents of SharedBase{base, answerer, summarizer} are adapted models of the base
#include "dualagent/rollout/pairing.hpp"
#include "support/bigram_model.hpp"

using namespace dualagent;

int main() {
  BigramModel base(4), answerer(4), summarizer(4);
  SharedBase pairing{base, answerer, summarizer};
}
