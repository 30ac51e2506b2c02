// expect: a model on several ranks is trained over Mesh.data, model.
#include "dualagent/collective/local.hpp"
#include "dualagent/model/parallel_transformer.hpp"
#include "dualagent/train/weight_updater.hpp"

using dualagent::LocalCollective;

void update(dualagent::ParallelTransformer<LocalCollective>& model) {
  dualagent::WeightUpdater updater(model, dualagent::UpdateOptions{}, LocalCollective{});
}
int main() {}
