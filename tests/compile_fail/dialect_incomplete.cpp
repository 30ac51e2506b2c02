// expect: a ToolDialect needs prompt, turn_stop, summary_stop
#include "dualagent/rollout/protocol.hpp"
#include "support/toy_protocol.hpp"

struct Mute {};

int main() {
  dualagent::Protocol protocol{Mute{}, toy::Tools{toy::Successor<>{}}, dualagent::Never{}};
}
