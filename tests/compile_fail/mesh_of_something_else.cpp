// expect: Mesh.data, model. takes a collective for each axis
#include "dualagent/collective/local.hpp"
#include "dualagent/collective/mesh.hpp"

int main() { dualagent::Mesh mesh(dualagent::LocalCollective{}, 2); }
