#include "dualagent/text/gpt_oss_calls.hpp"

#include <string>
#include <vector>

#include "laws/call_format_laws.hpp"
#include "support/catch.hpp"
#include "support/sanitizers.hpp"
#include "support/turns.hpp"

using namespace dualagent;

namespace {

const GptOssCalls kFormat;

std::string reason(const std::string& said) { return turns::reason_of(kFormat.parse(said)); }

const std::string kThought = "<|channel|>analysis<|message|>I add. to=x<|end|>";

}  // namespace

TEST_CASE("gpt-oss calls are read after thoughts, recipient before or after channel", "[text]") {
  const auto calls = turns::calls_of(
      kFormat.parse(kThought + "<|start|>assistant<|channel|>commentary to=functions.add "
                               "<|constrain|>json<|message|>{\"x\": \"<|call|>\"}<|call|>"
                               "<|start|>assistant to=functions.now<|channel|>commentary json"
                               "<|message|>{}<|call|>"));
  REQUIRE(calls.size() == 2);
  CHECK(calls[0].tool == "add");
  CHECK(calls[0].arguments == "{\"x\": \"<|call|>\"}");
  CHECK(calls[1].tool == "now");
}

TEST_CASE("a gpt-oss call without a text has no arguments", "[text]") {
  for (const char* between : {"", " ", "\n", "{}"}) {
    const std::string said = "<|channel|>commentary to=functions.now <|constrain|>json<|message|>" +
                             std::string(between) + "<|call|>";
    const auto calls = turns::calls_of(kFormat.parse(said));
    REQUIRE(calls.size() == 1);
    CHECK(calls[0].tool == "now");
    CHECK(calls[0].arguments == "{}");
    CHECK(kFormat.call_end(said) == said.size());
  }
}

TEST_CASE("a gpt-oss message does not swallow the next one", "[text]") {
  for (const char* said :
       {"<|channel|>final<|message|>7<|start|>assistant<|channel|>commentary to=functions.f"
        "<|message|>{}",
        "<|channel|>analysis<|message|>I add.<|channel|>final<|message|>7",
        "<|channel|>final<|message|>7<|message|>8"})
    CHECK_THAT(reason(said), ContainsSubstring("<|end|> of a message is missing at byte"));
}

TEST_CASE("the answer of gpt-oss stands in the final channel", "[text]") {
  CHECK(turns::answer_of(kFormat.parse(
            kThought + "<|start|>assistant<|channel|>final<|message|>It is 7 <| 8.<|return|>")) ==
        "It is 7 <| 8.");
  CHECK(turns::answer_of(kFormat.parse("<|channel|>final<|message|>7")) == "7");
}

TEST_CASE("a malformed gpt-oss turn is told what is wrong, and where", "[text]") {
  CHECK(reason("") == "nothing was said");
  CHECK(reason(kThought) == "the turn holds neither a call nor a final message");
  CHECK_THAT(reason("It is 7."), ContainsSubstring("<|message|> is missing in the message at byte "
                                                   "0"));
  CHECK_THAT(reason("<|message|>7"), ContainsSubstring("names no channel at byte 0"));
  CHECK_THAT(reason("<|channel|>commentary to=python<|message|>{}<|call|>"),
             ContainsSubstring("a call goes to functions.NAME, not to 'python'"));
  CHECK_THAT(reason("<|channel|>commentary to=functions.f<|message|>1<|call|>"),
             ContainsSubstring("a JSON object of arguments is expected at byte 47"));
  CHECK_THAT(reason("<|channel|>commentary to=functions.f<|message|>{\"x\"}<|call|>"),
             ContainsSubstring("a ':' is expected after a key at byte 51"));
  CHECK_THAT(reason("<|channel|>commentary to=functions.f<|message|>{}<|end|>"),
             ContainsSubstring("<|call|> is expected at byte 49"));
  CHECK_THAT(reason("<|channel|>commentary<|message|>{}<|call|>"),
             ContainsSubstring("without to=functions.NAME ends as a call at byte 34"));
  CHECK_THAT(reason("<|channel|>final<|message|>7<|end|><|start|>assistant"),
             ContainsSubstring("something follows the final message at byte 35"));
}

TEST_CASE("gpt-oss calls are written as the model says them", "[text]") {
  const std::vector<ToolCall> calls{{"add", "{\"x\": 1}"}, {"now", "{}"}};
  CHECK(kFormat.render_calls(calls) ==
        "<|channel|>commentary to=functions.add <|constrain|>json<|message|>{\"x\": 1}<|call|>"
        "<|start|>assistant<|channel|>commentary to=functions.now <|constrain|>json<|message|>{}"
        "<|call|>");
  CHECK_THROWS_WITH(kFormat.render_calls(std::vector<ToolCall>{{"a b", "{}"}}),
                    ContainsSubstring("white space or '<'"));
}

TEST_CASE("gpt-oss calls obey the laws of call formats", "[text][laws]") {
  std::size_t written = 0;
  CHECK(laws::of_call_format(kFormat, {.tools = {"add", "now", "\xC3\xBC"}}, random_cases(4'000),
                             written) == laws::Violations{});
  CHECK(written == random_cases(4'000));
}
