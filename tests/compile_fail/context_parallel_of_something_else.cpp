// expect: ContextParallel.context, tensor. take a collective for each axis
#include "dualagent/collective/context_parallel.hpp"

int main() { dualagent::ContextParallel ranks(2); }
