// expect: the axes of Mesh.data, model. are collectives of their own, not meshes
#include "dualagent/collective/mesh.hpp"

#include "dualagent/collective/local.hpp"

using dualagent::LocalCollective;

int main() {
  dualagent::Mesh mesh(LocalCollective{}, LocalCollective{});
  dualagent::Mesh<dualagent::Mesh<LocalCollective, LocalCollective>, LocalCollective> three(
      mesh, LocalCollective{});
}
