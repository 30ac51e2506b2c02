// expect: write Mesh.Sharded.data., model. instead of Sharded
#include "dualagent/collective/local.hpp"
#include "dualagent/train/update_strategy.hpp"

using dualagent::LocalCollective;

int main() {
  dualagent::Mesh mesh(LocalCollective{}, LocalCollective{});
  dualagent::Sharded across{mesh};
}
