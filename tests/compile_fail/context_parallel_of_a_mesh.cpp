// expect: the axes of ContextParallel.context, tensor. are collectives of their own
#include "dualagent/collective/context_parallel.hpp"

using dualagent::LocalCollective;

int main() {
  dualagent::ContextParallel ranks(dualagent::Mesh{LocalCollective{}, LocalCollective{}});
}
