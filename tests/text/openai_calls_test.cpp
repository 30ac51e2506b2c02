#include "dualagent/text/openai_calls.hpp"

#include <string>
#include <vector>

#include "laws/call_format_laws.hpp"
#include "support/catch.hpp"
#include "support/sanitizers.hpp"
#include "support/turns.hpp"

using namespace dualagent;

namespace {

const OpenAiCalls kFormat;

std::string reason(const std::string& said) { return turns::reason_of(kFormat.parse(said)); }

std::string message(const std::string& function) {
  return R"({"tool_calls": [{"id": "c1", "type": "function", "function": )" + function + "}]}";
}

}  // namespace

TEST_CASE("OpenAI calls are read from the message, arguments from their text", "[text]") {
  const auto calls = turns::calls_of(kFormat.parse(
      R"( {"role": "assistant", "content": null, "tool_calls": [
           {"id": "c1", "type": "function", "function": {"name": "add", "arguments": "{\"x\": 1}"}},
           {"id": "c2", "function": {"arguments": " {} ", "name": "now"}, "index": 1}]} )"));
  REQUIRE(calls.size() == 2);
  CHECK(calls[0].tool == "add");
  CHECK(calls[0].arguments == "{\"x\": 1}");
  CHECK(calls[0].id == "c1");
  CHECK(calls[1].arguments == "{}");
  CHECK(calls[1].id == "c2");
}

TEST_CASE("an OpenAI call whose arguments are an empty text has none", "[text]") {
  for (const char* empty : {R"("")", R"(" ")", R"("\n")", R"("{}")"})
    CHECK(turns::calls_of(
              kFormat.parse(message(R"({"name": "now", "arguments": )" + std::string(empty) + "}")))
              .at(0)
              .arguments == "{}");
  CHECK_THAT(reason(message(R"({"name": "now", "arguments": null})")),
             ContainsSubstring("must be a string that holds JSON"));
}

TEST_CASE("a key of an OpenAI message may be written with escapes", "[text]") {
  CHECK(turns::calls_of(kFormat.parse(R"({"content": "7", "tool\u005fcalls": [{"\u0066unction":
        {"n\u0061me": "now", "argument\u0073": "{}"}}]})"))
            .at(0)
            .tool == "now");
}

TEST_CASE("an OpenAI call in an older form or beside text is told so, and is not the answer",
          "[text]") {
  CHECK_THAT(reason(R"({"content": "7", "function_call": {"name": "f", "arguments": "{}"}})"),
             ContainsSubstring("\"function_call\" is the old form"));
  CHECK(turns::answer_of(kFormat.parse(R"({"content": "7", "function_call": null})")) == "7");
  for (const std::string& said :
       {"I add: " + message(R"({"name": "add", "arguments": "{}"})"),
        "```json\n" + message(R"({"name": "add", "arguments": "{}"})") + "\n```",
        std::string(R"([{"id": "a", "function": {"name": "add", "arguments": "{}"}}])")})
    CHECK_THAT(reason(said), ContainsSubstring("text precedes a call at byte"));
}

TEST_CASE("an OpenAI message without calls is the answer", "[text]") {
  CHECK(turns::answer_of(kFormat.parse(R"({"content": "It is \"7\".", "tool_calls": null})")) ==
        "It is \"7\".");
  CHECK(turns::answer_of(kFormat.parse("It is 7.")) == "It is 7.");
  CHECK(turns::answer_of(kFormat.parse(R"({"content": "7", "tool_calls": []})")) == "7");
}

TEST_CASE("a malformed OpenAI message is told what is wrong, and where", "[text]") {
  CHECK_THAT(reason("{}"), ContainsSubstring("neither \"content\" nor \"tool_calls\" at byte 0"));
  CHECK(reason(R"({"content": ""})") == "nothing was said");
  CHECK_THAT(reason(R"({"content": 7})"), ContainsSubstring("must be a text or null at byte 12"));
  CHECK_THAT(reason(R"({"tool_calls": {}})"), ContainsSubstring("must be an array at byte 15"));
  CHECK_THAT(reason(R"({"tool_calls": [1]})"),
             ContainsSubstring("call 1: a JSON object is expected at byte 16"));
  CHECK_THAT(reason(R"({"tool_calls": [{"id": "a"}]})"),
             ContainsSubstring("call 1: the key \"function\" is missing at byte 16"));
  CHECK_THAT(reason(R"({"tool_calls": [{"id": 1}]})"), ContainsSubstring("\"id\" must be a text"));
  CHECK_THAT(reason(R"({"tool_calls": [{"id": "a", "id": "b"}]})"),
             ContainsSubstring("\"id\" is given twice"));
  CHECK_THAT(reason(message(R"({"name": "add"})")),
             ContainsSubstring("the key \"arguments\" is missing"));
  CHECK_THAT(reason(message(R"({"arguments": "{}"})")),
             ContainsSubstring("the key \"name\" is missing"));
  CHECK_THAT(reason(message(R"({"name": "add", "arguments": {}})")),
             ContainsSubstring("must be a string that holds JSON"));
  CHECK_THAT(reason(message(R"({"name": "add", "arguments": "{\"x\": }"})")),
             ContainsSubstring("in the text of \"arguments\", a value is expected at byte 6"));
  CHECK_THAT(reason(message(R"({"name": "add", "arguments": "{} 1"})")),
             ContainsSubstring("something follows the object at byte 2"));
  CHECK_THAT(reason(message(R"({"name": "add", "arguments": "{}"})") + "x"),
             ContainsSubstring("text follows the message"));
}

TEST_CASE("OpenAI calls are written with ids, and results refer to them", "[text]") {
  const std::vector<ToolCall> calls{{"add", "{\"x\": 1}", "c7"}, {"now", "{}"}};
  CHECK(kFormat.render_calls(calls) ==
        R"({"role": "assistant", "content": null, "tool_calls": [{"id": "c7", "type": "function", )"
        R"("function": {"name": "add", "arguments": "{\"x\": 1}"}}, {"id": "call_2", "type": )"
        R"("function", "function": {"name": "now", "arguments": "{}"}}]})");
  CHECK(kFormat.render_result(calls[0], "1\n") ==
        R"({"role": "tool", "tool_call_id": "c7", "content": "1\n"})");
}

TEST_CASE("OpenAI calls obey the laws of call formats", "[text][laws]") {
  std::size_t written = 0;
  CHECK(laws::of_call_format(kFormat, {}, random_cases(4'000), written) == laws::Violations{});
  CHECK(written == random_cases(4'000));
}
