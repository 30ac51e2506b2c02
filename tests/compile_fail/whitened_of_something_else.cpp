// expect: an AdvantageEstimator needs 'void estimate
#include "dualagent/objective/advantage.hpp"

struct Nothing {};

int main() { dualagent::Whitened<Nothing> whitened; }
