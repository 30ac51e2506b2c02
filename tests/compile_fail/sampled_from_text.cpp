// expect: private within this context|calling a private constructor
#include "dualagent/trace/span.hpp"

int main() {
  dualagent::Sampled forged(dualagent::AgentRole::answerer, {0, 0}, {1, 2}, {-0.5F, -0.5F}, {});
}
