#include "dualagent/text/mistral_calls.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "laws/call_format_laws.hpp"
#include "support/catch.hpp"
#include "support/sanitizers.hpp"
#include "support/turns.hpp"

using namespace dualagent;

// tests/text/known_templates_test.cpp compares what is written with the models' own templates.

namespace {

const MistralNemoCalls kNemo;
const MistralSmall32Calls kSmall;
const Ministral3Calls kMinistral;

template <class Format>
std::string reason(const Format& format, const std::string& said) {
  return turns::reason_of(format.parse(said));
}

const std::vector<ToolCall> kCalls{{"add", "{\"x\": 1}", "9Ae3bDc2F"}, {"now", "{}", "000000001"}};
constexpr std::string_view kNemoSaid =
    "[TOOL_CALLS][{\"name\": \"add\", \"arguments\": {\"x\": 1}, \"id\": \"9Ae3bDc2F\"}, "
    "{\"name\": \"now\", \"arguments\": {}, \"id\": \"000000001\"}]";
constexpr std::string_view kSmallSaid =
    "[TOOL_CALLS]add[CALL_ID]9Ae3bDc2F[ARGS]{\"x\": 1}[TOOL_CALLS]now[CALL_ID]000000001[ARGS]{}";
constexpr std::string_view kMinistralSaid =
    "[TOOL_CALLS]add[ARGS]{\"x\": 1}[TOOL_CALLS]now[ARGS]{}";

/// Written as the templates do, and read with any text before and white space around.
template <class Format>
void check_both(const Format& format, std::string_view written, bool ids) {
  CHECK(format.render_calls(kCalls) == written);
  for (const std::string& said :
       {std::string(written), "So: [1]\n" + std::string(written) + "\n"}) {
    const auto read = turns::calls_of(format.parse(said));
    REQUIRE(read.size() == 2);
    for (std::size_t i = 0; i < 2; ++i) {
      CHECK(read[i].tool == kCalls[i].tool);
      CHECK(read[i].arguments == kCalls[i].arguments);
      CHECK(read[i].id == (ids ? kCalls[i].id : ""));
    }
  }
}

}  // namespace

TEST_CASE("Mistral's calls are written as its templates do, and read", "[text]") {
  check_both(kNemo, kNemoSaid, true);
  check_both(kSmall, kSmallSaid, true);
  check_both(kMinistral, kMinistralSaid, false);
  const auto spaced = turns::calls_of(kNemo.parse(
      "[TOOL_CALLS] [ {\"id\": \"abcdefgh1\" , \"arguments\" :{ \"s\": \"]}\" }, \"name\": "
      "\"f\"} ] "));
  CHECK(spaced.at(0).arguments == "{ \"s\": \"]}\" }");
  CHECK(spaced.at(0).id == "abcdefgh1");
  const auto tags =
      turns::calls_of(kMinistral.parse("[TOOL_CALLS] f [ARGS] {\"s\": \"[TOOL_CALLS][ARGS]\"}"));
  REQUIRE(tags.size() == 1);
  CHECK(tags[0].tool == "f");
}

TEST_CASE("a result of Mistral is given back under the id that the model said", "[text]") {
  CHECK(kNemo.render_result(kCalls[0], "3 \"a\"") ==
        "{\"content\": 3 \"a\", \"call_id\": \"9Ae3bDc2F\"}");
  CHECK(kSmall.render_result(kCalls[0], "3") == "9Ae3bDc2F[TOOL_CONTENT]3");
  CHECK(kMinistral.render_result(kCalls[0], "3") == "3");
}

TEST_CASE("a call of Mistral without an id gets one that follows from the call", "[text]") {
  const std::vector<ToolCall> bare{{"add", "{}"}, {"add", "{}"}};
  const std::string said = kSmall.render_calls(bare);
  CHECK(kSmall.render_calls(bare) == said);
  const auto read = turns::calls_of(kSmall.parse(said));
  REQUIRE(read.size() == 2);
  // SHA-256 of "0\nadd\n{}" and "1\nadd\n{}", by sha256sum.
  CHECK(read[0].id == "dab7dddfa");
  CHECK(read[1].id == "436f66bc0");
  CHECK(turns::calls_of(kNemo.parse(kNemo.render_calls(bare)))[1].id == read[1].id);
  for (const char* id : {"call_1234", "12345678", "1234567890", "12345678_"})
    CHECK_THROWS_WITH(
        kNemo.render_calls(std::vector<ToolCall>{{"add", "{}", id}}),
        ContainsSubstring("not 9 letters and digits") && ContainsSubstring("Leave the id out"));
  CHECK_THROWS_WITH(kSmall.render_calls(std::vector<ToolCall>{{"add", "{}", "call_1"}}),
                    ContainsSubstring("'call_1'"));
  CHECK(kMinistral.render_calls(std::vector<ToolCall>{{"add", "{}", "call_1"}}) ==
        "[TOOL_CALLS]add[ARGS]{}");
}

TEST_CASE("what is wrong with calls of Mistral Nemo is said, with the place", "[text]") {
  const std::vector<std::pair<std::string, std::string>> wrong{
      {"[TOOL_CALLS]", "call 1: a list of calls is expected at byte 12, the end of the turn"},
      {"[TOOL_CALLS]{\"name\": \"f\", \"arguments\": {}}", "a list of calls is expected"},
      {"[TOOL_CALLS][]", "a JSON object is expected at byte 13"},
      {"[TOOL_CALLS][{\"name\": \"f\", \"arguments\": {}}]", "\"id\" must be a text of 9 letters"},
      {"[TOOL_CALLS][{\"name\": \"f\", \"arguments\": {}, \"id\": \"call_1\"}]", "\"id\" must be"},
      {"[TOOL_CALLS][{\"name\": \"f\", \"arguments\": {}, \"id\": 123456789}]", "must be a text"},
      {"[TOOL_CALLS][{\"id\": \"abcdefgh1\", \"id\": \"abcdefgh1\"}]", "\"id\" is given twice"},
      {std::string(kNemoSaid.substr(0, kNemoSaid.size() - 1)), "call 2: a ',' or ']' is expected"},
      {std::string(kNemoSaid) + " Done.", "text follows the list of calls"},
      {std::string(kNemoSaid) + std::string(kNemoSaid), "text follows the list of calls"},
      {"{\"name\": \"f\", \"arguments\": {}}", "a call stands outside the list"},
      {" ", "nothing was said"}};
  for (const auto& [said, words] : wrong) {
    CAPTURE(said);
    CHECK_THAT(reason(kNemo, said), ContainsSubstring(words));
    CHECK(kNemo.call_end(said).has_value() == (words.find("follows") != words.npos));
  }
  CHECK(turns::answer_of(kNemo.parse(" 7 [1] \n")) == "7 [1]");
}

TEST_CASE("what is wrong with calls of Mistral Small or Ministral is said, with the place",
          "[text]") {
  const std::vector<std::pair<std::string, std::string>> small{
      {"[TOOL_CALLS]f[ARGS]{}", "call 1: [CALL_ID] is expected at byte 13"},
      {"[TOOL_CALLS]f[CALL_ID]call_1234[ARGS]{}", "an id of 9 letters and digits is expected"},
      {"[TOOL_CALLS]f[CALL_ID]1234", "an id of 9 letters and digits is expected at byte 22"},
      {"[TOOL_CALLS]f[CALL_ID]123456789{}", "[ARGS] is expected"},
      {"[TOOL_CALLS]f[CALL_ID]1234567890[ARGS]{}", "[ARGS] is expected"}};
  for (const auto& [said, words] : small) {
    CAPTURE(said);
    CHECK_THAT(reason(kSmall, said), ContainsSubstring(words));
    CHECK(!kSmall.call_end(said));
  }
  const std::vector<std::pair<std::string, std::string>> ministral{
      {"[TOOL_CALLS]", "the name of a tool is expected at byte 12, the end of the turn"},
      {"[TOOL_CALLS][{\"name\": \"f\"}]", "the name of a tool is expected"},
      {"[TOOL_CALLS]{\"name\": \"f\"}[ARGS]{}", "the name of a tool is expected"},
      {"[TOOL_CALLS]f", "[ARGS] is expected at byte 13, the end of the turn"},
      {"[TOOL_CALLS]f[CALL_ID]123456789[ARGS]{}", "[ARGS] is expected"},
      {"[TOOL_CALLS]f[ARGS][]", "a JSON object is expected"},
      {"[TOOL_CALLS]f[ARGS]{\"x\": }", "call 1: "},
      {"[TOOL_CALLS]f[ARGS]{}g[ARGS]{}", "text follows call 1"},
      {"[TOOL_CALLS]f[ARGS]{} [TOOL_CALLS]g", "call 2: [ARGS] is expected"},
      {"[TOOL_CALLS]f[ARGS]{}[ARGS][TOOL_CALLS]g[ARGS]{}", "text follows call 1"},
      {"So [ARGS][TOOL_CALLS]g[ARGS]{}", "the [TOOL_CALLS] of a call is missing at byte 3"},
      {"f[ARGS]{}", "the [TOOL_CALLS] of a call is missing at byte 1"},
      {"[CALL_ID]", "the [TOOL_CALLS] of a call is missing"}};
  for (const auto& [said, words] : ministral) {
    CAPTURE(said);
    CHECK_THAT(reason(kMinistral, said), ContainsSubstring(words));
  }
  CHECK(turns::answer_of(kMinistral.parse(" 7 [1] {} \n")) == "7 [1] {}");
}

TEST_CASE("a tool's name that Mistral cannot write is refused", "[text]") {
  for (const char* tool : {"a[b", "a{b", "a\nb", " a", "a "})
    CHECK_THROWS_WITH(kMinistral.render_calls(std::vector<ToolCall>{{tool, "{}"}}),
                      ContainsSubstring("a tool's name has white space"));
  CHECK(kNemo.render_calls({}).empty());
  CHECK(kSmall.render_calls({}).empty());
}

TEST_CASE("Mistral Nemo is told of tools with descriptions as they stand", "[text]") {
  const std::vector<ToolSpec> tools{{"f", "says \"a\"", "{\"type\": \"object\"}"}, {"g"}};
  CHECK(kNemo.describe_tools(tools).starts_with(
      "[{\"type\": \"function\", \"function\": {\"name\": \"f\", \"description\": \"says \"a\"\", "
      "\"parameters\": {\"type\": \"object\"}}}, {\"type\""));
  CHECK(kSmall.describe_tools(tools).starts_with("[" + tool_spec_json(tools[0]) + ", {\"type\""));
  CHECK(kMinistral.describe_tools(tools) == kSmall.describe_tools(tools));
  CHECK(kNemo.describe_tools({}).empty());
  CHECK(kSmall.describe_tools({}).empty());
}

TEST_CASE("Mistral's calls obey the laws of call formats", "[text][laws]") {
  std::size_t written = 0;
  const auto violations = [&](const auto& format, const laws::FormatReach& reach) {
    return laws::of_call_format(format, reach, random_cases(1'500), written);
  };
  const std::vector<std::string> ids{"", "9Ae3bDc2F", "000000001"};
  CHECK(violations(kNemo, {.ids = ids}) == laws::Violations{});
  CHECK(written == random_cases(1'500));
  CHECK(violations(kSmall, {.tools = {"add", "a ]b"}, .ids = ids}) == laws::Violations{});
  CHECK(written == random_cases(1'500));
  CHECK(violations(kMinistral, {}) == laws::Violations{});
  CHECK(written > random_cases(250));  // names with '[', '{' or newlines are refused
}
