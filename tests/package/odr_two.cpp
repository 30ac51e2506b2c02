#include "dualagent/dualagent.hpp"

std::size_t size_seen_by_the_other_unit() { return sizeof(dualagent::Rollout); }
