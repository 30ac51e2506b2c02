#include "dualagent/text/qwen_coder_calls.hpp"

#include <string>
#include <vector>

#include "laws/call_format_laws.hpp"
#include "support/catch.hpp"
#include "support/turns.hpp"

using namespace dualagent;

namespace {

const QwenCoderCalls kFormat;

std::string reason(const std::string& said) { return turns::reason_of(kFormat.parse(said)); }

const std::string kCall =
    "<tool_call>\n<function=add>\n<parameter=x>\n1\n</parameter>\n<parameter=note>\ntwo\nlines \n"
    "</parameter>\n</function>\n</tool_call>";

}  // namespace

TEST_CASE("Qwen-Coder calls are read in order, values by what they spell", "[text]") {
  const auto calls = turns::calls_of(kFormat.parse("First.\n" + kCall +
                                                   "\n<tool_call><function=now>"
                                                   "</function></tool_call>"));
  REQUIRE(calls.size() == 2);
  CHECK(calls[0].tool == "add");
  CHECK(calls[0].arguments == "{\"x\": 1, \"note\": \"two\\nlines \"}");
  CHECK(calls[1].tool == "now");
  CHECK(calls[1].arguments == "{}");
}

TEST_CASE("a declared string stays one, whatever it spells", "[text]") {
  const std::vector<ToolSpec> tools{
      {"add", "", R"({"type": "object", "properties": {"x": {"type": "string"},
                                                        "y": {"type": "integer"}}})"}};
  const QwenCoderCalls format = QwenCoderCalls::of(tools);
  CHECK(turns::calls_of(format.parse(kCall)).at(0).arguments ==
        "{\"x\": \"1\", \"note\": \"two\\nlines \"}");
  const std::vector<ToolCall> call{{"add", "{\"x\": \"[1]\", \"y\": 2}"}};
  CHECK(format.render_calls(call) ==
        "<tool_call>\n<function=add>\n<parameter=x>\n[1]\n</parameter>\n<parameter=y>\n2\n"
        "</parameter>\n</function>\n</tool_call>");
  CHECK_THROWS_WITH(format.render_calls(std::vector<ToolCall>{{"add", "{\"x\": 1}"}}),
                    ContainsSubstring("'x' is no string"));
  CHECK_THROWS_WITH(
      format.render_calls(std::vector<ToolCall>{{"add", "{\"x\": \"</parameter>\"}"}}),
      ContainsSubstring("'x' holds </parameter>"));
  CHECK_THROWS_WITH(QwenCoderCalls::of(std::vector<ToolSpec>{{"add", "", "x"}}),
                    ContainsSubstring("no JSON object (tool 'add')"));
}

TEST_CASE("a malformed Qwen-Coder call is told what is wrong, and where", "[text]") {
  CHECK_THAT(reason("<tool_call>\n{\"name\": \"add\"}"),
             ContainsSubstring("call 1: <function=NAME> is expected at byte 12"));
  CHECK_THAT(reason("<tool_call><function=></function></tool_call>"),
             ContainsSubstring("<function=NAME> is expected at byte 11"));
  CHECK_THAT(reason("<tool_call><function=f>x</function></tool_call>"),
             ContainsSubstring("<parameter=NAME> or </function> is expected at byte 23"));
  CHECK_THAT(reason("<tool_call><function=f><parameter=x>1</function></tool_call>"),
             ContainsSubstring("</parameter> of 'x' is missing in what begins at byte 36"));
  CHECK_THAT(reason("<tool_call><function=f></function>"),
             ContainsSubstring("</tool_call> is expected at byte 34, the end of the turn"));
  CHECK_THAT(reason("<tool_call><function=f><parameter=x>1</parameter><parameter=x>2</parameter>"
                    "</function></tool_call>"),
             ContainsSubstring("the parameter 'x' is given twice at byte 49"));
  CHECK_THAT(reason("<tool_call><function=f><parameter=x>\xFF</parameter></function></tool_call>"),
             ContainsSubstring("a parameter is not valid UTF-8 at byte 23"));
  CHECK_THAT(reason("7</tool_call>"), ContainsSubstring("closes no <tool_call> at byte 1"));
  CHECK_THAT(reason(kCall + "7"), ContainsSubstring("text follows call 1"));
  CHECK(turns::answer_of(kFormat.parse("7")) == "7");
}

TEST_CASE("Qwen-Coder calls obey the laws of call formats", "[text][laws]") {
  std::size_t written = 0;
  CHECK(laws::of_call_format(kFormat, {.tools = {"add", "a b"}}, 4'000, written) ==
        laws::Violations{});
  CHECK(written > 1'000);  // names with '<', '>' or newlines are refused
}
