// expect: a SummaryTrigger needs 'bool should_summarize
#include "dualagent/summary/trigger.hpp"

namespace mine {
struct EveryThirdTurn {
  bool should_summarise(const dualagent::ContextStatus& status) const {
    return status.turns % 3 == 0;
  }
};
struct LongContext {
  bool should_summarize(std::size_t tokens) const { return tokens > 100; }
};
}  // namespace mine

int main() {
  using namespace dualagent;
  mine::EveryThirdTurn{} || mine::LongContext{};
}
