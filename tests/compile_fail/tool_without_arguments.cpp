// expect: a Tool needs a default-constructible struct 'Arguments'
#include "dualagent/tools/tool_box.hpp"

struct Bare {
  static constexpr std::string_view name = "bare";
};

int main() { dualagent::ToolBox box{Bare{}}; }
