#include "dualagent/text/call_format.hpp"

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "dualagent/text/hermes_calls.hpp"
#include "dualagent/text/qwen_coder_calls.hpp"
#include "support/catch.hpp"

using namespace dualagent;

namespace {

/// Calls are letters in square brackets; an empty pair is broken.
CallStep next_bracket(std::string_view said, std::size_t at) {
  CallStep step;
  step.begin = said.find('[', at);
  if (step.begin == std::string_view::npos) return step;
  const std::size_t close = said.find(']', step.begin);
  if (close == std::string_view::npos || close == step.begin + 1) {
    step.kind = CallStep::Kind::broken;
    step.fault = "no name";
    return step;
  }
  step.kind = CallStep::Kind::closed;
  step.call.tool = std::string(said.substr(step.begin + 1, close - step.begin - 1));
  step.end = close + 1;
  return step;
}

/// "calls: a b", "answer: TEXT" or "malformed: REASON".
std::string read(std::string_view said) {
  const Turn turn = read_calls(said, next_bracket, answer_of_plain_text);
  if (const auto* answer = std::get_if<Answer>(&turn)) return "answer: " + answer->text;
  if (const auto* malformed = std::get_if<MalformedTurn>(&turn))
    return "malformed: " + malformed->reason;
  std::string text = "calls:";
  for (const ToolCall& call : std::get<std::vector<ToolCall>>(turn)) text += " " + call.tool;
  return text;
}

}  // namespace

TEST_CASE("a format says what stands between text and calls, else a line break", "[text]") {
  CHECK(text_before_calls(HermesCalls{}) == "\n");
  CHECK(text_before_calls(QwenCoderCalls{}) == "\n\n");
}

TEST_CASE("calls of a turn are read in their order, with white space between them", "[text]") {
  CHECK(read("[a]") == "calls: a");
  CHECK(read("I look it up: [a]\n [b] \t") == "calls: a b");
  CHECK(read(" forty-two ") == "answer: forty-two");
}

TEST_CASE("text between calls and behind them makes a turn malformed", "[text]") {
  CHECK(
      read("[a] and [b]") ==
      "malformed: text follows call 1 at byte 3, before ' and [b]'; end the turn after its calls");
  CHECK(read("[a][b]!") ==
        "malformed: text follows call 2 at byte 6, before '!'; end the turn after its calls");
  CHECK(read("[a][]") == "malformed: call 2: no name");
  CHECK(read("[") == "malformed: call 1: no name");
  CHECK(read("") == "malformed: nothing was said");
  CHECK(read(" \n") == "malformed: nothing was said");
}

TEST_CASE("the first call of an unfinished turn ends where it closes", "[text]") {
  CHECK(end_of_first_call("x[ab]y", next_bracket) == 5u);
  CHECK_FALSE(end_of_first_call("x[ab", next_bracket));
  CHECK_FALSE(end_of_first_call("xab", next_bracket));
}

TEST_CASE("a place in a turn is named by its byte and what stands there", "[text]") {
  CHECK(place_in("abc", 1) == " at byte 1, before 'bc'");
  CHECK(place_in("abc", 3) == " at byte 3, the end of the turn");
  CHECK(place_in("", 7) == " at byte 7, the end of the turn");
  CHECK(place_in(std::string(100, 'x'), 10) ==
        " at byte 10, before '" + std::string(24, 'x') + "'");
  CHECK(place_in("\x1B[31m", 0).find('\x1B') == std::string::npos);
}

TEST_CASE("calls are written one below the other", "[text]") {
  const std::vector<ToolCall> calls{{"a", "{}"}, {"b", "{}"}};
  const auto name = [](const ToolCall& call) { return call.tool; };
  CHECK(render_lines(calls, name) == "a\nb");
  CHECK(render_lines({}, name) == "");
}
