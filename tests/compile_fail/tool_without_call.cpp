// expect: a Tool needs 'std::string operator
#include "dualagent/tools/tool_box.hpp"

struct Silent {
  static constexpr std::string_view name = "silent";
  struct Arguments {};
};

int main() { dualagent::ToolBox box{Silent{}}; }
