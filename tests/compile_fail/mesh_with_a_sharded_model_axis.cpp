// expect: write Mesh.Sharded.data., model. instead of Mesh.data, Sharded
#include "dualagent/collective/local.hpp"
#include "dualagent/train/update_strategy.hpp"

using dualagent::LocalCollective;

int main() {
  dualagent::Mesh mesh(LocalCollective{}, dualagent::Sharded{LocalCollective{}});
  dualagent::detail::UpdateStrategyOf<decltype(mesh)>::part(mesh, 4);
}
