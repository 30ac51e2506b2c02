#include "dualagent/text/retool_calls.hpp"

#include <string>
#include <vector>

#include "laws/call_format_laws.hpp"
#include "support/catch.hpp"
#include "support/sanitizers.hpp"
#include "support/turns.hpp"

using namespace dualagent;

namespace {

const RetoolCalls kFormat;

std::string reason(const std::string& said) { return turns::reason_of(kFormat.parse(said)); }
std::string code(const std::string& said) {
  const auto calls = turns::calls_of(kFormat.parse(said));
  REQUIRE(calls.size() == 1);
  CHECK(calls[0].tool == "python");
  return nlohmann::json::parse(calls[0].arguments).at("code").get<std::string>();
}

}  // namespace

TEST_CASE("code is read from tags, from a fence, and from a fence in tags", "[text]") {
  CHECK(code("I compute.\n<code>\nprint(1)\n</code>") == "print(1)");
  CHECK(code("<code>print(1)</code>\n") == "print(1)");
  CHECK(code("So:\n```python\nx = `1`\nprint(x)\n```") == "x = `1`\nprint(x)");
  CHECK(code("<code>\n```python\n  print(1)\n```\n</code>") == "  print(1)");
  CHECK(code("```python\n```") == "");
  CHECK(code("```python \t\r\nprint('\\boxed{7}')\n```") == "print('\\boxed{7}')");
  CHECK(code("<code>```python \nprint(1)\n```</code>") == "print(1)");
  CHECK(turns::calls_of(kFormat.parse("<code>1</code>\n```python\n2\n```")).size() == 2);
}

TEST_CASE("the answer stands in the last box", "[text]") {
  CHECK(turns::answer_of(kFormat.parse("\\boxed{1}, no: \\boxed{ \\frac{1}{2} }.")) ==
        "\\frac{1}{2}");
  CHECK(turns::answer_of(kFormat.parse("Answer: \\boxed{\\{1\\}}")) == "\\{1\\}");
}

TEST_CASE("a malformed ReTool turn is told what is wrong, and where", "[text]") {
  CHECK(reason("It is 7.") == "neither <code>...</code> nor \\boxed{...} was said");
  CHECK(reason("\n") == "nothing was said");
  CHECK_THAT(reason("I <code>print(1)"),
             ContainsSubstring("call 1: </code> is missing for the code at byte 2"));
  CHECK_THAT(reason("```python\nprint(1)```"),
             ContainsSubstring("``` at the start of a line is missing for the code at byte 0"));
  CHECK_THAT(reason("so \\boxed{{1}"), ContainsSubstring("\\boxed{ is never closed at byte 3"));
  CHECK_THAT(reason("<code>1</code> 7"), ContainsSubstring("text follows call 1 at byte 14"));
  CHECK_THAT(reason("<code>\xFF</code>"), ContainsSubstring("at byte 0 is not valid UTF-8"));
}

TEST_CASE("ReTool code is written in tags, its result in the same message", "[text]") {
  CHECK(kFormat.render_calls(std::vector<ToolCall>{{"python", R"x({"code": "print(\"a\")"})x"}}) ==
        "<code>\nprint(\"a\")\n</code>");
  CHECK(kFormat.render_result({}, "a") == "\n<interpreter>\na\n</interpreter>\n");
  const auto refuse = [](const std::string& tool, const std::string& arguments) {
    kFormat.render_calls(std::vector<ToolCall>{{tool, arguments}});
  };
  CHECK_THROWS_WITH(refuse("add", R"({"code": "1"})"),
                    ContainsSubstring("only a call of 'python'"));
  CHECK_THROWS_WITH(refuse("python", R"({"code": 1})"), ContainsSubstring("with the text 'code'"));
  CHECK_THROWS_WITH(refuse("python", "{}"), ContainsSubstring("with the text 'code'"));
  CHECK_THROWS_WITH(refuse("python", R"({"code": "</code>"})"), ContainsSubstring("holds </code>"));
}

TEST_CASE("ReTool calls obey the laws of call formats", "[text][laws]") {
  std::size_t written = 0;
  CHECK(laws::of_call_format(kFormat, {.tools = {"python"}, .any_arguments = false},
                             random_cases(4'000), written) == laws::Violations{});
  CHECK(written > random_cases(3'000));  // code that holds </code> is refused
}
