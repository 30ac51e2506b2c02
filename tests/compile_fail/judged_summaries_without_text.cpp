// expect: JudgedSummaries needs a function that turns a Token into its text
#include "dualagent/reward/judged_work.hpp"

using namespace dualagent;

int main() {
  JudgedSummaries work{[](Token token) { return token; }};
}
