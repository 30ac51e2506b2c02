// expect: an AdaptedTransformer changes a Transformer of the same scalar; a ParallelTransformer
#include "dualagent/collective/local.hpp"
#include "dualagent/model/adapted_transformer.hpp"
#include "dualagent/model/parallel_transformer.hpp"

using namespace dualagent;

void make(const TransformerConfig& config) {
  ParallelTransformer base(config, LocalCollective{});
  AdaptedTransformer adapted(base, {.rank = 4});
}
int main() {}
