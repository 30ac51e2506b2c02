// expect: an ImportanceCorrection needs 'double weight
#include "dualagent/objective/correction.hpp"

struct Nothing {};

int main() { dualagent::BatchNormalized<Nothing> correction; }
