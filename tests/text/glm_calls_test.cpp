#include "dualagent/text/glm_calls.hpp"

#include <cstddef>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "laws/call_format_laws.hpp"
#include "support/catch.hpp"
#include "support/chats.hpp"
#include "support/sanitizers.hpp"
#include "support/turns.hpp"

using namespace dualagent;
using chats::Json;

// tests/text/known_templates_test.cpp compares what is written with the models' own templates.

namespace {

const Glm45Calls kFormat;

std::string reason(const std::string& said) { return turns::reason_of(kFormat.parse(said)); }

/// The arguments of a call with one argument, of a tool whose schema for it is `schema`.
std::string argument(const std::string& schema, const std::string& value) {
  const std::vector<ToolSpec> tools{{"f", "", R"({"properties": {"x": )" + schema + "}}"}};
  return turns::calls_of(Glm45Calls::of(tools).parse("<tool_call>f\n<arg_key>x</arg_key>\n"
                                                     "<arg_value>" +
                                                     value + "</arg_value>\n</tool_call>"))
      .at(0)
      .arguments;
}

const std::string kCall =
    "<tool_call>add\n<arg_key>x</arg_key>\n<arg_value>1</arg_value>\n<arg_key>note</arg_key>\n"
    "<arg_value>two\nlines \n</arg_value>\n</tool_call>";

/// The calls in what transformers wrote for the turns of a conversation, in order.
std::vector<std::string> said_calls(std::string_view text) {
  constexpr std::string_view kTurn = "<|assistant|>", kResults = "<|observation|>";
  std::vector<std::string> turns;
  for (std::size_t at = text.find(kTurn); at != text.npos; at = text.find(kTurn, at + 1)) {
    const std::string_view turn = text.substr(at, text.find("<|", at + 2) - at);
    if (!text.substr(at + turn.size()).starts_with(kResults)) continue;
    turns.emplace_back(turn.substr(turn.find("<tool_call>")));
  }
  return turns;
}

}  // namespace

TEST_CASE("GLM's calls are read in order, with line breaks and without", "[text]") {
  for (const std::string& said :
       {"First.\n" + kCall + "\n<tool_call>now\n</tool_call>",
        std::string("First.<tool_call>add<arg_key>x</arg_key><arg_value>1</arg_value><arg_key>note"
                    "</arg_key><arg_value>two\nlines \n</arg_value></tool_call><tool_call>now"
                    "</tool_call>"),
        "<tool_call>\n add \n" + kCall.substr(15) + " \n\n<tool_call>now</tool_call>\n"}) {
    const auto calls = turns::calls_of(kFormat.parse(said));
    REQUIRE(calls.size() == 2);
    CHECK(calls[0].tool == "add");
    CHECK(calls[0].arguments == "{\"x\": 1, \"note\": \"two\\nlines \\n\"}");
    CHECK(calls[1].tool == "now");
    CHECK(calls[1].arguments == "{}");
    CHECK(turns::calls_of(Glm47Calls{}.parse(said)).size() == 2);
  }
}

TEST_CASE("the two kinds of GLM's calls differ in line breaks alone", "[text]") {
  const std::vector<ToolCall> calls{{"add", "{\"x\": 1, \"note\": \"a b\"}"}, {"now", "{}"}};
  const std::string without =
      "<tool_call>add<arg_key>x</arg_key><arg_value>1</arg_value><arg_key>note</arg_key>"
      "<arg_value>a b</arg_value></tool_call><tool_call>now</tool_call>";
  CHECK(Glm47Calls{}.render_calls(calls) == without);
  std::string with = Glm45Calls{}.render_calls(calls);
  CHECK(with.starts_with("<tool_call>add\n<arg_key>x</arg_key>\n<arg_value>1</arg_value>\n<arg"));
  CHECK(with.ends_with("</arg_value>\n</tool_call>\n<tool_call>now\n</tool_call>"));
  std::erase(with, '\n');
  CHECK(with == without);
  CHECK(Glm45Calls{}.render_result({}, "7") == "<tool_response>\n7\n</tool_response>");
  CHECK(Glm47Calls{}.render_result({}, "7") == "<tool_response>7</tool_response>");
  CHECK(Glm45Calls{}.describe_tools({}).empty());
}

TEST_CASE("what transformers writes as GLM's calls is read as those calls", "[text][golden]") {
  const Json golden =
      Json::parse(std::ifstream(DUALAGENT_TEST_DATA "/chat_templates/known_templates.json"));
  std::size_t read = 0;
  for (const char* part : {"templates", "silent"})
    for (const Json& entry : golden.at(part))
      for (const Json& conversation : entry.at("cases")) {
        if (!entry.at("name").get<std::string>().starts_with("glm-4.")) continue;
        const auto said = said_calls(conversation.at("text").get<std::string>());
        std::size_t turn = 0;
        for (const Json& message : conversation.at("messages")) {
          if (!message.contains("tool_calls")) continue;
          const auto calls = chats::calls_of(message.at("tool_calls"));
          CHECK(laws::detail::same_calls(calls, turns::calls_of(kFormat.parse(said.at(turn++)))));
          read += calls.size();
        }
        CHECK(turn == said.size());
      }
  CHECK(read > 90);
}

TEST_CASE("an argument of GLM whose schema admits text alone is text, white space and all",
          "[text]") {
  for (const char* schema :
       {R"({"type": "string"})", R"({"type": ["string", "null"]})",
        R"({"anyOf": [{"type": "string"}, {"type": "null"}]})", R"({"enum": ["140", "a"]})"}) {
    CAPTURE(schema);
    for (const char* value : {"140", "true", "[1]", "\"140\"", "", "\n a\n", "a < b </arg"})
      CHECK(argument(schema, value) == "{\"x\": " + json_literal(value) + "}");
  }
  CHECK(argument("{}", "\n[1, 2]\n") == R"({"x": [1, 2]})");
  CHECK(argument("{}", "two words") == R"({"x": "two words"})");
  CHECK(argument(R"({"type": ["string", "integer"]})", "140") == R"({"x": 140})");
  CHECK(argument(R"({"type": ["string", "null"]})", "null") == R"({"x": null})");
}

TEST_CASE("a malformed call of GLM is told what is wrong, and where", "[text]") {
  const std::string key = "<arg_key>x</arg_key>", value = "<arg_value>1</arg_value>";
  const std::vector<std::pair<std::string, std::string>> wrong{
      {"<tool_call></tool_call>", "call 1: the name of a tool is expected at byte 11"},
      {"<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>",
       "the name of a tool is expected at byte 12"},
      {"I write <tool_call> for a call.",
       "or </tool_call> is expected at byte 31, the end of the turn"},
      {"<tool_call>f", "<arg_key>NAME</arg_key> or </tool_call> is expected at byte 12, the end"},
      {"<tool_call>f\n1\n</tool_call>", "the name of a tool is expected at byte 11"},
      {"<tool_call>f" + value, "<arg_key>NAME</arg_key> or </tool_call> is expected at byte 12"},
      {"<tool_call>f<arg_key></arg_key>" + value, "is expected at byte 12"},
      {"<tool_call>f<arg_key>x" + value, "is expected at byte 12"},
      {"<tool_call>f" + key + "1</tool_call>",
       "<arg_value>VALUE</arg_value> of 'x' is expected at byte 32, before '1</tool_call>'"},
      {"<tool_call>f" + key + "<arg_value>1</tool_call>", "of 'x' is expected at byte 32"},
      {"<tool_call>f" + key + "<arg_value>1</tool_call><tool_call>g" + key + value + "</tool_call>",
       "of 'x' is expected at byte 32"},
      {"<tool_call>f" + key + "<arg_value>1<arg_value>2</arg_value></tool_call>",
       "of 'x' is expected at byte 32"},
      {"<tool_call>f" + key + value + key + value + "</tool_call>",
       "the argument 'x' is given twice at byte 56"},
      {"<tool_call>f" + key + "<arg_value>\xFF</arg_value></tool_call>",
       "the value of 'x' is not valid UTF-8 at byte 32"},
      {"<tool_call>\xFF</tool_call>", "the name of a tool is expected"},
      {"7</tool_call>", "the <tool_call> of a call is missing at byte 1"},
      {"f" + key + value, "the <tool_call> of a call is missing at byte 1"},
      {value, "the <tool_call> of a call is missing at byte 0"},
      {"f" + key + value + "</tool_call>" + kCall, "call 1: the <tool_call> of a call is missing"},
      {kCall + "7", "text follows call 1"},
      {kCall + value + kCall, "text follows call 1"},
      {"", "nothing was said"}};
  for (const auto& [said, words] : wrong) {
    CAPTURE(said);
    CHECK_THAT(reason(said), ContainsSubstring(words));
    CHECK_THAT(turns::reason_of(Glm47Calls{}.parse(said)), ContainsSubstring(words));
  }
  CHECK(turns::answer_of(kFormat.parse("\n7 < 8 <b>\n")) == "7 < 8 <b>");
}

TEST_CASE("calls that GLM cannot write are refused", "[text]") {
  const auto write = [](const std::string& tool, const std::string& arguments) {
    return kFormat.render_calls(std::vector<ToolCall>{{tool, arguments}});
  };
  for (const char* tool : {"a<b", "a>b", "a\nb", " a", "a ", "{a"})
    CHECK_THROWS_WITH(write(tool, "{}"), ContainsSubstring("a tool's name"));
  for (const char* arguments : {R"({"": 1})", R"({"a<b": 1})", R"({"a": 1, "a": 2})"})
    CHECK_THROWS_WITH(write("f", arguments), ContainsSubstring("cannot be written"));
  CHECK_THAT(write("f", R"({"x": "</arg_value>"})"), ContainsSubstring("\\u003c/arg_value>"));
  const std::vector<ToolSpec> tools{{"f", "", R"({"properties": {"x": {"type": "string"}}})"}};
  CHECK_THROWS_WITH(
      Glm45Calls::of(tools).render_calls(std::vector<ToolCall>{{"f", R"({"x": "<arg_key>"})"}}),
      ContainsSubstring("'x' cannot be written: its text holds a tag"));
}

TEST_CASE("GLM's calls obey the laws of call formats", "[text][laws]") {
  const std::vector<ToolSpec> tools{
      {"add", "", R"({"properties": {"key_1": {"type": "string"}, "key_2": {"type": ["string",
        "null"]}, "key_3": {"type": ["string", "number"]}}})"}};
  std::size_t written = 0;
  const auto violations = [&](const auto& format) {
    return laws::of_call_format(format, {.tools = {"add", "a b"}}, random_cases(2'000), written);
  };
  CHECK(violations(Glm45Calls{}) == laws::Violations{});
  CHECK(written > random_cases(400));  // names with '<', '>' or newlines are refused
  CHECK(violations(Glm47Calls{}) == laws::Violations{});
  CHECK(violations(Glm45Calls::of(tools)) == laws::Violations{});
  CHECK(written > random_cases(250));
  CHECK(violations(Glm47Calls::of(tools)) == laws::Violations{});
}
