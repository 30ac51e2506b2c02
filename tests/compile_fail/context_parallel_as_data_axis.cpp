// expect: write Mesh.data, ContextParallel.ranks..
#include "dualagent/collective/context_parallel.hpp"

using dualagent::LocalCollective;

int main() {
  dualagent::Mesh mesh(dualagent::ContextParallel{LocalCollective{}}, LocalCollective{});
}
