// expect: a SummaryTrigger needs 'bool should_summarize
#include "dualagent/summary/trigger.hpp"

struct EveryThirdTurn {
  bool should_summarise(const dualagent::ContextStatus& status) const {
    return status.turns % 3 == 0;
  }
};

int main() { dualagent::NotTrigger trigger{EveryThirdTurn{}}; }
