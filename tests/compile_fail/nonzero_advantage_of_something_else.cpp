// expect: an Aggregation needs 'double weight
#include "dualagent/objective/aggregation.hpp"

struct Nothing {};

int main() { dualagent::NonzeroAdvantageOnly<Nothing> aggregation; }
