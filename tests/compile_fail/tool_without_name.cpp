// expect: a Tool needs 'static constexpr std::string_view name'
#include "dualagent/tools/tool_box.hpp"

struct Nameless {
  struct Arguments {};
  std::string operator()(const Arguments&, const dualagent::CallInfo&) const { return ""; }
};

int main() { dualagent::ToolBox box{Nameless{}}; }
