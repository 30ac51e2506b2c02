#include "dualagent/text/any_call_format.hpp"

#include <string>
#include <vector>

#include "dualagent/text/glm_calls.hpp"
#include "dualagent/text/hermes_calls.hpp"
#include "dualagent/text/mistral_calls.hpp"
#include "dualagent/text/qwen_coder_calls.hpp"
#include "dualagent/text/retool_calls.hpp"
#include "laws/call_format_laws.hpp"
#include "support/catch.hpp"
#include "support/turns.hpp"

using namespace dualagent;

TEST_CASE("a call format behind AnyCallFormat obeys the laws", "[text][laws]") {
  std::size_t written = 0;
  CHECK(laws::of_call_format(AnyCallFormat(HermesCalls{}), {}, 500, written) == laws::Violations{});
  CHECK(written == 500);
}

TEST_CASE("AnyCallFormat does what the format that it holds does", "[text]") {
  const std::vector<ToolSpec> tools{{"f", "does f"}};
  const std::vector<ToolCall> calls{{"f", R"({"x": "1"})"}};
  const QwenCoderCalls coder = QwenCoderCalls::of(tools);
  const AnyCallFormat any = coder;
  const std::string said = coder.render_calls(calls);
  CHECK(any.render_calls(calls) == said);
  CHECK(any.describe_tools(tools) == coder.describe_tools(tools));
  CHECK(any.render_result(calls[0], "7") == coder.render_result(calls[0], "7"));
  CHECK(any.call_end(said + "more") == said.size());
  CHECK(turns::calls_of(any.parse(said))[0].arguments == calls[0].arguments);
  CHECK(any.markers.size() == 4);
  CHECK(any.brackets[0].close == "</tool_call>");
  CHECK(any.before_calls == "\n\n");
  CHECK(AnyCallFormat(HermesCalls{}).before_calls == "\n");
  CHECK(AnyCallFormat(Glm47Calls{}).before_calls.empty());
  CHECK(AnyCallFormat(RetoolCalls{}).result_place == ResultPlace::same_message);
  const AnyCallFormat ids = MistralSmall32Calls{};
  CHECK(ids.render_result({"f", "{}", "abcdefgh1"}, "7") == "abcdefgh1[TOOL_CONTENT]7");
}

TEST_CASE("a copy of AnyCallFormat holds what its source held", "[text]") {
  AnyCallFormat one = HermesCalls{};
  const AnyCallFormat other = one;
  one = RetoolCalls{};
  CHECK(other.brackets[0].open == "<tool_call>");
  CHECK(other.render_result({}, "7") == HermesCalls{}.render_result({}, "7"));
  CHECK(one.brackets[0].open == RetoolCalls::brackets[0].open);
}
