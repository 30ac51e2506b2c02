#include "dualagent/dualagent.hpp"

std::size_t size_seen_by_the_other_unit();

int main() { return size_seen_by_the_other_unit() == sizeof(dualagent::Rollout) ? 0 : 1; }
