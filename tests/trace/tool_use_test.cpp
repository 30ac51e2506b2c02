#include "dualagent/trace/tool_use.hpp"

#include <string>

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("a tool use is a call that went well unless it says otherwise", "[trace]") {
  const ToolUse use{.tool = "look"};
  CHECK(use.status == ToolStatus::ok);
  CHECK(use.problem.empty());
}

TEST_CASE("the numbers of tool statuses are those that files hold", "[trace]") {
  CHECK(static_cast<int>(ToolStatus::ok) == 0);
  CHECK(static_cast<int>(ToolStatus::unknown_tool) == 1);
  CHECK(static_cast<int>(ToolStatus::bad_arguments) == 2);
  CHECK(static_cast<int>(ToolStatus::failed) == 3);
  CHECK(static_cast<int>(ToolStatus::timed_out) == 4);
}
