#include "dualagent/text/hermes_calls.hpp"

#include <string>
#include <vector>

#include "laws/call_format_laws.hpp"
#include "support/catch.hpp"
#include "support/sanitizers.hpp"
#include "support/turns.hpp"

using namespace dualagent;

namespace {

const HermesCalls kFormat;

std::string reason(const std::string& said) { return turns::reason_of(kFormat.parse(said)); }

}  // namespace

TEST_CASE("Hermes calls are read in order, after any text", "[text]") {
  const auto calls = turns::calls_of(kFormat.parse(
      "I add.\n<tool_call>\n{\"name\": \"add\", \"arguments\": {\"x\": 1}}\n</tool_call>\n"
      "<tool_call>{\"arguments\":{},\"name\":\"now\"}</tool_call>\n"));
  REQUIRE(calls.size() == 2);
  CHECK(calls[0].tool == "add");
  CHECK(calls[0].arguments == "{\"x\": 1}");
  CHECK(calls[1].tool == "now");
  CHECK(calls[1].arguments == "{}");
}

TEST_CASE("a tag inside a string of a Hermes call belongs to the string", "[text]") {
  const std::string said =
      "<tool_call>{\"name\": \"say\", \"arguments\": {\"t\": \"</tool_call>\"}}</tool_call>";
  CHECK(turns::calls_of(kFormat.parse(said)).at(0).arguments == "{\"t\": \"</tool_call>\"}");
  CHECK(kFormat.call_end(said) == said.size());
}

TEST_CASE("a Hermes turn without calls is the answer", "[text]") {
  CHECK(turns::answer_of(kFormat.parse("\n It is 7. \n")) == "It is 7.");
  CHECK(reason(" \n") == "nothing was said");
}

TEST_CASE("a Hermes call without its tags is told so, and is not the answer", "[text]") {
  for (const char* said :
       {R"({"name": "add", "arguments": {"x": 1}})", R"(I add: {"arguments": {}, "name": "now"})",
        "```json\n{ \"name\": \"add\", \"parameters\": {}}\n```",
        R"([{"name": "add", "arguments": {}}])", R"({"name": "add", "arguments": {"x": 1})"})
    CHECK_THAT(reason(said), ContainsSubstring("a call stands outside <tool_call>"));
  for (const char* said : {R"({"name": "Ada", "age": 36})", "{1, 2}", R"("name" and "arguments")",
                           R"({"arguments": 2})", R"("arguments" of {"name": 1})"})
    CHECK(turns::answer_of(kFormat.parse(said)) == said);
}

TEST_CASE("what the JSON of a Hermes call holds arrives as it is", "[text]") {
  const std::string arguments =
      R"({"n": 123456789012345678901234567890, "u": "\u00fc\ud83d\ude00", "q": "\"'}{", "z": 1.0})";
  CHECK(turns::calls_of(kFormat.parse("<tool_call>{\"name\": \"f\", \"arguments\": " + arguments +
                                      "}</tool_call>"))
            .at(0)
            .arguments == arguments);
  for (const char* broken :
       {R"({"x": 1,})", "{'x': 1}", R"({"x": NaN})", R"({"x": 01})", R"({"x": True})",
        R"({"x": "\ud800"})", "\"{}\"", "null", "{\"x\": .5}"})
    CHECK_THAT(reason("<tool_call>{\"name\": \"f\", \"arguments\": " + std::string(broken) +
                      "}</tool_call>"),
               ContainsSubstring("call 1: "));
}

TEST_CASE("a malformed Hermes call is told what is wrong, and where", "[text]") {
  CHECK(reason("x<tool_call>{\"name\": \"a\" \"arguments\": {}}</tool_call>") ==
        "call 1: a ',' or '}' is expected in an object at byte 25, before '\"arguments\": "
        "{}}</tool_c'");
  CHECK(reason("<tool_call>\n{\"name\": \"a\"}</tool_call>") ==
        "call 1: the key \"arguments\" is missing at byte 12, before '{\"name\": "
        "\"a\"}</tool_call'");
  CHECK_THAT(reason("<tool_call>{\"arguments\": {}}</tool_call>"),
             ContainsSubstring("the key \"name\" is missing at byte 11"));
  CHECK_THAT(reason("<tool_call>{\"name\": \"a\", \"arguments\": []}</tool_call>"),
             ContainsSubstring("\"arguments\" must be a JSON object at byte 38"));
  CHECK_THAT(reason("<tool_call>{\"name\": 3, \"arguments\": {}}</tool_call>"),
             ContainsSubstring("\"name\" must be the name of a tool at byte 20"));
  CHECK_THAT(reason("<tool_call>{\"name\": \"\", \"arguments\": {}}</tool_call>"),
             ContainsSubstring("\"name\" must be the name of a tool"));
  CHECK_THAT(reason("<tool_call>{\"name\": \"a\", \"name\": \"b\", \"arguments\": {}}</tool_call>"),
             ContainsSubstring("\"name\" is given twice"));
  CHECK_THAT(
      reason("<tool_call>{\"name\": \"a\", \"arguments\": {}, \"arguments\": {}}</tool_call>"),
      ContainsSubstring("\"arguments\" is given twice"));
  CHECK_THAT(reason("<tool_call>{\"name\": \"a\", \"arguments\": {}, \"k\": 1}</tool_call>"),
             ContainsSubstring("unknown key \"k\""));
  CHECK_THAT(reason("<tool_call>add(1)</tool_call>"),
             ContainsSubstring("a JSON object is expected at byte 11, before 'add(1)"));
  CHECK(reason("<tool_call>{\"name\": \"a\", \"arguments\": {}}") ==
        "call 1: </tool_call> is expected at byte 41, the end of the turn");
  CHECK(reason("<tool_call>") ==
        "call 1: the text ends where a JSON object is expected at byte 11, the end of the turn");
  CHECK_THAT(reason("7 </tool_call>"), ContainsSubstring("closes no <tool_call> at byte 2"));
  CHECK_THAT(reason("<tool_call>{\"name\": \"a\", \"arguments\": {}}</tool_call> 7"),
             ContainsSubstring("text follows call 1 at byte 53"));
  CHECK_THAT(reason("<tool_call>{\"name\": \"a\", \"arguments\": {}}</tool_call><tool_call>7"),
             ContainsSubstring("call 2: a JSON object is expected at byte 64"));
}

TEST_CASE("Hermes calls are written as Qwen writes them", "[text]") {
  const std::vector<ToolCall> calls{{"add", "{\"x\": 1}"}, {"now", "{}"}};
  CHECK(kFormat.render_calls(calls) ==
        "<tool_call>\n{\"name\": \"add\", \"arguments\": {\"x\": 1}}\n</tool_call>\n"
        "<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>");
  CHECK(kFormat.render_result(calls[0], "7") == "<tool_response>\n7\n</tool_response>");
  const auto refuse = [](const ToolCall& call) { kFormat.render_calls(std::span(&call, 1)); };
  CHECK_THROWS_WITH(refuse({"", "{}"}), ContainsSubstring("no tool name"));
  CHECK_THROWS_WITH(refuse({"a", "[]"}), ContainsSubstring("a JSON object is expected at byte 0"));
  CHECK_THROWS_WITH(refuse({"a", "{} {}"}), ContainsSubstring("text follows it at byte 2"));
  CHECK_THROWS_WITH(refuse({"a\xFF", "{}"}), ContainsSubstring("not valid UTF-8"));
}

TEST_CASE("Hermes calls obey the laws of call formats", "[text][laws]") {
  std::size_t written = 0;
  CHECK(laws::of_call_format(kFormat, {}, random_cases(4'000), written) == laws::Violations{});
  CHECK(written == random_cases(4'000));
}
