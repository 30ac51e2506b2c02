// expect: a model is kept by reference and must outlive what uses it
#include "dualagent/rollout/pairing.hpp"
#include "support/bigram_model.hpp"

int main() { dualagent::SharedWeights pairing{BigramModel(20)}; }
