#include "dualagent/text/stop_rule_json.hpp"

#include <string>
#include <string_view>
#include <vector>

#include "dualagent/text/chat_dialect.hpp"
#include "dualagent/text/chatml_templates.hpp"
#include "dualagent/text/hermes_calls.hpp"
#include "dualagent/text/llama3_calls.hpp"
#include "dualagent/text/qwen_coder_calls.hpp"
#include "dualagent/text/retool_calls.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

namespace {

using Tokens = std::vector<Token>;
const ByteTokenizer kBytes({"<|im_start|>", "<|im_end|>", "<|endoftext|>"});

StopRule sent(const StopRule& rule) {
  return stop_rule_from_json(nlohmann::json::parse(to_json(rule).dump()));
}

bool holds(const std::string& text, const std::vector<std::string>& strings) {
  for (const std::string& string : strings)
    if (text.find(string) != std::string::npos) return true;
  return false;
}

/// How many tokens of a script are said where the rule is obeyed in this process.
std::size_t said_here(const StopRule& rule, const Tokens& script) {
  for (std::size_t size = 1; size <= script.size(); ++size)
    if (rule.stop_early(std::span(script).first(size))) return size;
  return script.size();
}

/// The same of an engine that knows the rule's data and the generation's text only: where it finds
/// a string it asks, and otherwise goes on. `asked` counts the questions.
std::size_t said_elsewhere(const StopRule& rule, const Tokens& script, std::size_t& asked) {
  const StopRule data = sent(rule);
  for (std::size_t size = 1; size <= script.size(); ++size) {
    const std::span said = std::span(script).first(size);
    if (data.stop_early && data.stop_early(said)) return size;
    if (!holds(decode(kBytes, said), data.stop_early.strings())) continue;
    ++asked;
    if (rule.stop_early(said)) return size;
  }
  return script.size();
}

}  // namespace

TEST_CASE("a stop rule's data comes back as it was sent", "[text]") {
  const StopRule rule{
      {7, 9}, 64, EarlyStop({{{{1, 2}, {3}}, false}, {{{4}}, true}}, {"</tool_call>", "}\n\"x\""})};
  CHECK(to_json(rule) == nlohmann::json::parse(R"({"stop_tokens":[7,9],"max_new_tokens":64,
    "strings":["</tool_call>","}\n\"x\""],
    "patterns":[{"positions":[[1,2],[3]],"open_ended":false},{"positions":[[4]],"open_ended":true}]
    })"));
  const StopRule back = sent(rule);
  CHECK(back.stop_tokens == rule.stop_tokens);
  CHECK(back.max_new_tokens == 64);
  CHECK(back.stop_early.patterns() == rule.stop_early.patterns());
  CHECK(back.stop_early.strings() == rule.stop_early.strings());
  CHECK(!back.stop_early.has_check());
  CHECK(!sent({{7}, 3, {}}).stop_early);
}

TEST_CASE("a rule that another process could not obey is not sent", "[text]") {
  const StopRule rule{{7}, 3, [](std::span<const Token> said) { return said.size() == 2; }};
  CHECK_THAT(error_of([&] { to_json(rule); }), ContainsSubstring("after any token"));
}

TEST_CASE("what is not a stop rule is refused", "[text]") {
  for (const char* text :
       {"{}", "[]", "3", R"({"stop_tokens":[1],"max_new_tokens":"many",
       "strings":[],"patterns":[]})",
        R"({"stop_tokens":[1],"max_new_tokens":1,"strings":[],"patterns":[[1]]})"})
    CHECK_THAT(error_of([&] { stop_rule_from_json(nlohmann::json::parse(text)); }),
               ContainsSubstring("this is not a stop rule"));
}

TEST_CASE("an id or a count that no stop rule can hold is refused, never cut down", "[text]") {
  const auto refusal = [](const std::string& stop_tokens, const std::string& positions,
                          const std::string& most) {
    const std::string text = R"({"stop_tokens":[)" + stop_tokens + R"(],"max_new_tokens":)" + most +
                             R"(,"strings":[],"patterns":[{"positions":[[)" + positions +
                             R"(]],"open_ended":false}]})";
    return error_of([&] { stop_rule_from_json(nlohmann::json::parse(text)); });
  };
  CHECK(refusal("2147483647", "0", "1") == "no error");
  for (const std::string id : {"4294967303", "2147483648", "-1", "1.5", "true", "\"7\""}) {
    CHECK_THAT(refusal("1, " + id, "0", "1"), ContainsSubstring(id + " is no token's id"));
    CHECK_THAT(refusal("1", "3, " + id, "1"), ContainsSubstring(id + " is no token's id"));
  }
  for (const std::string count : {"-1", "0", "1.5", "true"})
    CHECK_THAT(refusal("1", "0", count), ContainsSubstring("max_new_tokens is " + count));
}

TEST_CASE("an engine that knows the data ends a turn at the token of the local check", "[text]") {
  const std::string hermes = "<tool_call>\n{\"name\": \"a\", \"arguments\": {}}\n</tool_call>";
  const std::string quoted =
      "<tool_call>\n{\"name\": \"</tool_call>\", \"arguments\": {}}\n</tool_call>";
  const std::string json = "{\"name\": \"a\", \"parameters\": {\"x\": {}}}";
  const auto check = [](auto format, const std::string& turn, bool ends_early) {
    for (const CallsPerTurn calls : {CallsPerTurn::one, CallsPerTurn::several}) {
      const ChatDialect dialect{kBytes, Qwen3{}, format, {.calls = calls}};
      const StopRule rule = dialect.turn_stop();
      Tokens script;
      kBytes.encode(turn, script);
      std::size_t asked = 0;
      INFO(turn);
      const std::size_t here = said_here(rule, script);
      CHECK(said_elsewhere(rule, script, asked) == here);
      CHECK((here < script.size()) == ends_early);
      CHECK(asked > 0);
      CHECK(asked < script.size());
    }
  };
  check(HermesCalls{}, "So: " + hermes + " and then", true);
  check(HermesCalls{}, "<think>" + hermes + "</think>" + hermes + " and then", true);
  check(HermesCalls{}, quoted + "!!", true);
  check(HermesCalls{}, "<tool_call>{\"name\": </tool_call> no end", false);
  check(Llama3Calls{}, json + " and then", true);
  check(RetoolCalls{}, "x\n```python\nprint(1)\n```\n and then", true);
}
