#include "dualagent/text/llama3_calls.hpp"

#include <string>
#include <vector>

#include "laws/call_format_laws.hpp"
#include "support/catch.hpp"
#include "support/sanitizers.hpp"
#include "support/turns.hpp"

using namespace dualagent;

namespace {

const Llama3Calls kFormat;

std::string reason(const std::string& said) { return turns::reason_of(kFormat.parse(said)); }
std::vector<ToolCall> calls(const std::string& said) {
  return turns::calls_of(kFormat.parse(said));
}

}  // namespace

TEST_CASE("a Llama 3 message is one call, in JSON or of a built-in tool", "[text]") {
  const auto plain = calls("\n{\"name\": \"add\", \"parameters\": {\"x\": 1}}\n");
  REQUIRE(plain.size() == 1);
  CHECK(plain[0].tool == "add");
  CHECK(plain[0].arguments == "{\"x\": 1}");
  CHECK(calls("<|python_tag|>{\"name\": \"add\", \"parameters\": {}}").at(0).tool == "add");
  const auto built_in = calls("<|python_tag|>brave_search.call(query=\"a) \\\"b\", n=2)");
  CHECK(built_in.at(0).tool == "brave_search");
  CHECK(built_in.at(0).arguments == "{\"query\": \"a) \\\"b\", \"n\": 2}");
  CHECK(calls("<|python_tag|>now.call()").at(0).arguments == "{}");
}

TEST_CASE("a Llama 3 message that does not begin as a call is the answer", "[text]") {
  CHECK(turns::answer_of(kFormat.parse("It is {7}.\n")) == "It is {7}.");
  CHECK(reason("") == "nothing was said");
}

TEST_CASE("a Llama 3 call that is not the whole message is told so, and is not the answer",
          "[text]") {
  for (const char* said :
       {R"(I add.
{"name": "add", "parameters": {"x": 1}})",
        R"([{"name": "add", "parameters": {}}])",
        "```json\n{\"name\": \"add\", \"arguments\": {}}\n```", "Now: <|python_tag|>now.call()",
        R"(First {"parameters": {"x": 1}, "name": "add"}; then more)"})
    CHECK_THAT(reason(said), ContainsSubstring("text precedes a call at byte"));
  CHECK_THAT(reason("brave_search.call(query=\"a\")"),
             ContainsSubstring("<|python_tag|> is missing"));
  for (const char* said : {"Use f.call(x).", "The name is {\"name\": \"a\"}.", "f.call(", "[1, 2]"})
    CHECK(turns::answer_of(kFormat.parse(said)) == said);
}

TEST_CASE("a malformed Llama 3 call is told what is wrong, and where", "[text]") {
  CHECK_THAT(reason("{\"name\": \"add\", \"arguments\": {}}"),
             ContainsSubstring("call 1: unknown key \"arguments\" at byte 29"));
  CHECK_THAT(reason("{\"name\": \"a\", \"parameters\": {}}; {\"name\": \"b\"}"),
             ContainsSubstring("text follows call 1 at byte 31"));
  CHECK_THAT(reason("<|python_tag|>print(1)"),
             ContainsSubstring("a JSON object or NAME.call( is expected at byte 14"));
  CHECK_THAT(reason("<|python_tag|>f.call(x 1)"),
             ContainsSubstring("key=value or ')' is expected at byte 21"));
  CHECK_THAT(reason("<|python_tag|>f.call(x=y)"),
             ContainsSubstring("a value is expected at byte 23"));
  CHECK_THAT(reason("<|python_tag|>f.call(x=1"), ContainsSubstring("',' or ')' is expected"));
  CHECK_THAT(reason("<|python_tag|>f.call("), ContainsSubstring("the end of the turn"));
}

TEST_CASE("Llama 3 calls are written one per message", "[text]") {
  const std::vector<ToolCall> two{{"add", "{\"x\": 1}"}, {"now", "{}"}};
  CHECK(kFormat.render_calls(std::span(two).first(1)) ==
        "{\"name\": \"add\", \"parameters\": {\"x\": 1}}");
  CHECK_THROWS_WITH(kFormat.render_calls(two), ContainsSubstring("one call per message, not 2"));
  CHECK(kFormat.render_result(two[0], "a\n\"b\"\xFF") == "\"a\\n\\\"b\\\"\xEF\xBF\xBD\"");
}

TEST_CASE("Llama 3 calls obey the laws of call formats", "[text][laws]") {
  std::size_t written = 0;
  CHECK(laws::of_call_format(kFormat, {.max_calls = 1}, random_cases(4'000), written) ==
        laws::Violations{});
  CHECK(written == random_cases(4'000));
}
