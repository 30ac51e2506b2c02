// expect: write Mesh.Sharded.data., model. instead of Mesh.data, Sharded
#include "dualagent/collective/context_parallel.hpp"
#include "dualagent/train/update_strategy.hpp"

using namespace dualagent;

int main() {
  Mesh mesh(LocalCollective{}, ContextParallel{Sharded{LocalCollective{}}});
  dualagent::detail::UpdateStrategyOf<decltype(mesh)>::part(mesh, 4);
}
