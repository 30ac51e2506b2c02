// expect: a ContextRewriter needs 'static constexpr SummaryUse summary_use'
#include "dualagent/rollout/protocol.hpp"
#include "support/toy_protocol.hpp"

struct Forget {
  dualagent::Context rewrite(const dualagent::Context&, std::span<const dualagent::Token>) const {
    return {};
  }
};

int main() {
  dualagent::Protocol protocol{toy::Dialect{}, toy::Tools{toy::Successor<>{}}, dualagent::Never{},
                               Forget{}};
}
