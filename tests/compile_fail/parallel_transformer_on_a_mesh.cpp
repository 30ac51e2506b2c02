// expect: give a ParallelTransformer mesh.model_axis.., not the mesh
#include "dualagent/collective/local.hpp"
#include "dualagent/collective/mesh.hpp"
#include "dualagent/model/parallel_transformer.hpp"

using namespace dualagent;

void make(const TransformerConfig& config) {
  Mesh mesh{LocalCollective{}, LocalCollective{}};
  ParallelTransformer learner(config, mesh);
}
int main() {}
