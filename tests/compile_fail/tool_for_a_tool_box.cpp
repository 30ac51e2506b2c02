// expect: a ToolBox is due here, not a tool; write ToolBox{YourTool{}}
#include "dualagent/rollout/protocol.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

int main() { Protocol protocol{toy::Dialect{}, toy::Successor<>{}, Never{}}; }
