// expect: a ToolBox is due here; write ToolBox{YourTool{}, ...}
#include "dualagent/rollout/protocol.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

int main() { Protocol protocol{toy::Dialect{}, Never{}, Never{}}; }
