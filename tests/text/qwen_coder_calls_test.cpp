#include "dualagent/text/qwen_coder_calls.hpp"

#include <string>
#include <vector>

#include "laws/call_format_laws.hpp"
#include "support/catch.hpp"
#include "support/sanitizers.hpp"
#include "support/turns.hpp"

using namespace dualagent;

namespace {

const QwenCoderCalls kFormat;

std::string reason(const std::string& said) { return turns::reason_of(kFormat.parse(said)); }

/// The arguments of a call with one parameter, of a tool whose schema for it is `schema`.
std::string argument(const std::string& schema, const std::string& value) {
  const std::vector<ToolSpec> tools{
      {"f", "", R"({"$defs": {"word": {"type": "string"}}, "properties": {"x": )" + schema + "}}"}};
  return turns::calls_of(
             QwenCoderCalls::of(tools).parse("<tool_call>\n<function=f>\n<parameter=x>\n" + value +
                                             "\n</parameter>\n</function>\n</tool_call>"))
      .at(0)
      .arguments;
}

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
                    ContainsSubstring("'x' cannot be written: its schema wants a text"));
  for (const char* text : {"</parameter>", "a<parameter=y>"})
    CHECK_THROWS_WITH(
        format.render_calls(std::vector<ToolCall>{{"add", "{\"x\": " + json_literal(text) + "}"}}),
        ContainsSubstring("'x' cannot be written: its text holds a tag"));
  for (const char* schema : {"x", "[]", R"({"type": "object"} {})", R"({"a": 1, "a": 2})"})
    CHECK_THROWS_WITH(QwenCoderCalls::of(std::vector<ToolSpec>{{"add", "", schema}}),
                      ContainsSubstring("(schema of tool 'add'). Set ToolSpec::parameters"));
}

TEST_CASE("words of Python are values, as the models' templates write them", "[text]") {
  CHECK(argument("{}", "True") == R"({"x": true})");
  CHECK(argument("{}", "FALSE") == R"({"x": false})");
  CHECK(argument("{}", "None") == R"({"x": null})");
  CHECK(argument("{}", " none ") == R"({"x": null})");
  CHECK(argument(R"({"type": "boolean"})", "True") == R"({"x": true})");
  CHECK(argument(R"({"type": "integer"})", "None") == R"({"x": null})");
  CHECK(argument(R"({"type": ["boolean", "string"]})", "False") == R"({"x": false})");
  CHECK(argument(R"({"type": ["integer", "string"]})", "True") == R"({"x": "True"})");
  CHECK(argument("{}", "Truee") == R"({"x": "Truee"})");
  CHECK(argument("{}", "[True]") == R"({"x": "[True]"})");  // templates write lists as JSON
  CHECK(QwenCoderCalls{}.render_calls(std::vector<ToolCall>{{"f", R"({"x": "None"})"}}) ==
        "<tool_call>\n<function=f>\n<parameter=x>\n\"None\"\n</parameter>\n</function>\n"
        "</tool_call>");
}

TEST_CASE("a parameter whose schema admits text alone is text, in whatever form it says so",
          "[text]") {
  for (const char* schema :
       {R"({"type": "string"})", R"({"type": ["string", "null"]})",
        R"({"anyOf": [{"type": "string"}, {"type": "null"}]})",
        R"({"oneOf": [{"type": "null"}, {"type": "string", "format": "date"}]})",
        R"({"enum": ["140", "true"]})", R"({"enum": ["140", null]})", R"({"const": "140"})",
        R"({"$ref": "#/$defs/word"})", R"({"allOf": [{"$ref": "#/$defs/word"}, {"minLength": 1}]})",
        R"({"anyOf": [{"enum": ["a"]}, {"$ref": "#/$defs/word"}]})"}) {
    CAPTURE(schema);
    for (const char* value : {"140", "true", "True", "[1]", "{}", "\"140\"", "1e2", ""})
      CHECK(argument(schema, value) == "{\"x\": " + json_literal(value) + "}");
  }
  CHECK(argument(R"({"type": "string"})", "null") == R"({"x": "null"})");
  CHECK(argument(R"({"type": ["string", "null"]})", "null") == R"({"x": null})");
  CHECK(argument(R"({"type": ["string", "null"]})", "None") == R"({"x": null})");
}

TEST_CASE("a parameter whose schema admits other types than text keeps them", "[text]") {
  CHECK(argument(R"({"type": ["string", "integer"]})", "140") == R"({"x": 140})");
  CHECK(argument(R"({"type": ["string", "integer"]})", "[1]") == R"({"x": "[1]"})");
  CHECK(argument(R"({"type": "integer"})", "12345678901234567890123") ==
        R"({"x": 12345678901234567890123})");
  CHECK(argument(R"({"type": "integer"})", "140.0") == R"({"x": 140.0})");
  CHECK(argument(R"({"type": "integer"})", "many") == R"({"x": "many"})");  // the tool says no
  CHECK(argument(R"({"type": "array"})", "[1, \"a\\u00fc\"]") == "{\"x\": [1, \"a\\u00fc\"]}");
  CHECK(argument(R"({"type": "array"})", "[1,]") == R"({"x": "[1,]"})");
  CHECK(argument(R"({"anyOf": [{"$ref": "#/$defs/none"}, {"type": "string"}]})", "1") ==
        R"({"x": 1})");
}

TEST_CASE("a malformed Qwen-Coder call is told what is wrong, and where", "[text]") {
  CHECK_THAT(reason("<tool_call>\n{\"name\": \"add\"}"),
             ContainsSubstring("call 1: <function=NAME> is expected at byte 12"));
  CHECK_THAT(reason("<tool_call><function=></function></tool_call>"),
             ContainsSubstring("<function=NAME> is expected at byte 11"));
  CHECK_THAT(reason("<tool_call><function=f>x</function></tool_call>"),
             ContainsSubstring("<parameter=NAME> or </function> is expected at byte 23"));
  CHECK_THAT(reason("<tool_call><function=f><parameter=x>1</function></tool_call>"),
             ContainsSubstring("</parameter> of 'x' is missing in what begins at byte 23"));
  CHECK_THAT(reason("<tool_call><function=f><parameter=x>1<parameter=y>2</parameter></function>"
                    "</tool_call>"),
             ContainsSubstring("</parameter> of 'x' is missing in what begins at byte 23"));
  CHECK_THAT(reason("<tool_call><function=f><parameter=x>1</function></tool_call>\n<tool_call>"
                    "<function=f><parameter=x>2</parameter></function></tool_call>"),
             ContainsSubstring("</parameter> of 'x' is missing in what begins at byte 23"));
  CHECK_THAT(reason("<tool_call><function=f></function>"),
             ContainsSubstring("</tool_call> is expected at byte 34, the end of the turn"));
  CHECK_THAT(reason("<tool_call><function=f><parameter=x>1</parameter><parameter=x>2</parameter>"
                    "</function></tool_call>"),
             ContainsSubstring("the parameter 'x' is given twice at byte 49"));
  CHECK_THAT(reason("<tool_call><function=f><parameter=x>\xFF</parameter></function></tool_call>"),
             ContainsSubstring("a parameter is not valid UTF-8 at byte 23"));
  CHECK_THAT(reason("7</tool_call>"),
             ContainsSubstring("<tool_call> of a call is missing at byte 1"));
  for (const char* said :
       {"<function=f><parameter=x>1</parameter></function>", "I add.\n<function=f>\n</function>",
        "<function=f></function></tool_call>", "<parameter=x>\n1\n</parameter>",
        "<function=f></function><tool_call><function=g></function></tool_call>", "<function=f"})
    CHECK_THAT(reason(said), ContainsSubstring("the <tool_call> of a call is missing at byte"));
  CHECK_THAT(reason(kCall + "7"), ContainsSubstring("text follows call 1"));
  CHECK(turns::answer_of(kFormat.parse("7")) == "7");
  CHECK(turns::answer_of(kFormat.parse("f(x) = <function> 7")) == "f(x) = <function> 7");
}

TEST_CASE("Qwen-Coder calls obey the laws of call formats", "[text][laws]") {
  std::size_t written = 0;
  CHECK(laws::of_call_format(kFormat, {.tools = {"add", "a b"}}, random_cases(4'000), written) ==
        laws::Violations{});
  CHECK(written > random_cases(1'000));  // names with '<', '>' or newlines are refused
  const std::vector<ToolSpec> tools{
      {"add", "", R"({"properties": {"key_1": {"type": "string"}, "key_2": {"type": ["string",
        "null"]}, "key_3": {"type": ["string", "number"]}}})"}};
  CHECK(laws::of_call_format(QwenCoderCalls::of(tools), {.tools = {"add"}}, random_cases(4'000),
                             written) == laws::Violations{});
  CHECK(written > random_cases(500));
}
