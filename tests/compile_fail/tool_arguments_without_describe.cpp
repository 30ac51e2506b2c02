// expect: a Tool's Arguments need 'template <class Visitor> void describe
#include "dualagent/tools/tool_box.hpp"

struct Silent {
  static constexpr std::string_view name = "silent";
  struct Arguments {
    int x = 0;
  };
  std::string operator()(const Arguments&, const dualagent::CallInfo&) const { return ""; }
};

int main() { dualagent::ToolBox box{Silent{}}; }
