// expect: train it over Mesh.data, ContextParallel.ranks..
#include "dualagent/collective/context_parallel.hpp"
#include "dualagent/model/transformer.hpp"
#include "dualagent/train/weight_updater.hpp"

using namespace dualagent;

int main() {
  Transformer<float> model(TransformerConfig{});
  WeightUpdater updater(model, UpdateOptions{}, ContextParallel{LocalCollective{}});
}
