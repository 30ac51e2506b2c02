// expect: a SummaryTrigger needs 'bool should_summarize
#include "dualagent/rollout/protocol.hpp"
#include "support/toy_protocol.hpp"

struct EveryThirdTurn {
  bool should_summarise(const dualagent::ContextStatus& status) const {
    return status.turns % 3 == 0;
  }
};

int main() {
  dualagent::Protocol protocol{toy::Dialect{}, toy::Tools{toy::Successor<>{}}, EveryThirdTurn{}};
}
