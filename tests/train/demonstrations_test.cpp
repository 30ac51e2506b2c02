#include "dualagent/train/demonstrations.hpp"

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "dualagent/text/chat_dialect.hpp"
#include "dualagent/text/chatml_templates.hpp"
#include "dualagent/text/deepseek_templates.hpp"
#include "dualagent/text/hermes_calls.hpp"
#include "dualagent/text/llama3_calls.hpp"
#include "dualagent/text/llama3_template.hpp"
#include "dualagent/text/retool_calls.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"
#include "support/warnings.hpp"

using namespace dualagent;

// tests/train/demonstrated_episodes_test.cpp compares with episodes, chat_demonstrations_test.cpp
// with transformers.

namespace {

template <class Dialect, class Rewriter = ReplaceBySummary>
Demonstrations shown(const Dialect& dialect, const std::string& lines,
                     DemonstrationOptions options = {.max_tokens = 4000},
                     const Rewriter& rewriter = {}) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "c.jsonl", lines);
  return read_demonstrations(folder / "c.jsonl", dialect, options, rewriter);
}

/// What a segment holds, a line per span: who, whether it is learned, and the text.
template <class Dialect>
std::vector<std::string> lines_of(const Dialect& dialect, const Segment& segment) {
  std::vector<std::string> lines;
  for (const Span& span : segment.context.spans())
    lines.push_back(std::string(to_string(span.provenance)) + "|" +
                    (span.agent == AgentRole::summarizer ? "summarizer|" : "") +
                    decode(dialect.tokenizer(), segment.context.tokens(span)));
  return lines;
}

using Lines = std::vector<std::string>;

const ByteTokenizer kChatMl({"<|im_start|>", "<|im_end|>"});
const ByteTokenizer kLlama({"<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>",
                            "<|eot_id|>", "<|python_tag|>"});
const ByteTokenizer kDeepSeek({"<｜begin▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>",
                               "<｜end▁of▁sentence｜>"});

ChatDialect<ByteTokenizer, ChatMl, HermesCalls> chatml(ChatOptions options = {}) {
  return {kChatMl, ChatMl{}, HermesCalls{}, std::move(options)};
}

const std::string kUser = R"({"role": "user", "content": "1 + 1?"})";
const std::string kAnswer = R"({"role": "assistant", "content": "2"})";
const std::string kAdd = R"({"role": "assistant", "content": "Hm.", "tool_calls": [
  {"function": {"name": "add", "arguments": {"x":1}}}]})";
const std::string kReply = R"({"role": "tool", "content": "2"})";

std::string row(const std::vector<std::string>& messages, const std::string& more = "") {
  std::string text = "{\"messages\": [";
  for (std::size_t i = 0; i < messages.size(); ++i) text += (i == 0 ? "" : ", ") + messages[i];
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text + "]" + more + "}\n";
}

template <class Dialect>
void refused(const Dialect& dialect, const std::string& lines, const std::string& place,
             const std::string& why) {
  INFO(lines);
  CHECK_THROWS_WITH(shown(dialect, lines),
                    ContainsSubstring("c.jsonl:" + place) && ContainsSubstring(why));
}

}  // namespace

TEST_CASE("ChatML with Hermes' calls, by hand", "[train]") {
  const std::string call =
      "Hm.\n<tool_call>\n{\"name\": \"add\", \"arguments\": {\"x\": 1}}\n</tool_call>";
  const std::string lines = row({R"({"role": "system", "content": "S"})", kUser, kAdd, kReply,
                                 kAnswer, R"({"role": "user", "content": "Sure?"})",
                                 R"({"role": "assistant", "content": "Yes"})"});
  const auto one = chatml();
  const Demonstrations made = shown(one, lines);
  REQUIRE(made.conversations.size() == 1);
  REQUIRE(made.conversations[0].size() == 1);
  const Segment& segment = made.conversations[0][0];
  CHECK(segment.owner == AgentRole::answerer);
  const std::string header = "injected|<|im_start|>assistant\n";
  const std::string reply = "<|im_start|>user\n<tool_response>\n2\n</tool_response><|im_end|>\n";
  CHECK(lines_of(one, segment) ==
        Lines{"prompt|<|im_start|>system\nS<|im_end|>\n<|im_start|>user\n1 + 1?<|im_end|>\n",
              header, "demonstration|" + call, "observation|<|im_end|>\n" + reply, header,
              "demonstration|2<|im_end|>", "observation|\n<|im_start|>user\nSure?<|im_end|>\n",
              header, "demonstration|Yes<|im_end|>"});
  // By hand: "2" and <|im_end|> are two tokens, byte 50 and special token 257.
  const auto spans = segment.context.spans();
  const auto answer = segment.context.tokens(spans[5]);
  CHECK(std::vector<Token>(answer.begin(), answer.end()) == std::vector<Token>{50, 257});
  // <|im_start|> assistant newline
  CHECK(spans[4].size == 1 + 9 + 1);

  const auto several = chatml({.calls = CallsPerTurn::several});
  const auto spoken = lines_of(several, shown(several, lines).conversations[0][0]);
  CHECK(spoken[2] == "demonstration|" + call + "<|im_end|>");
  CHECK(spoken[3] == "observation|\n" + reply);
}

TEST_CASE("Llama 3, by hand: one call is the whole message, text is trimmed", "[train]") {
  const ChatDialect dialect{kLlama, Llama3{.knowledge_date = ""}, Llama3Calls{}};
  const Demonstrations made =
      shown(dialect, row({kUser, R"({"role": "assistant", "content": "", "tool_calls": [
                     {"name": "add", "arguments": "{\"x\":1}"}]})",
                          kReply, R"({"role": "assistant", "content": " 2\n"})"}));
  CHECK(
      lines_of(dialect, made.conversations[0][0]) ==
      Lines{"prompt|<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n1 + 1?<|eot_id|>",
            "injected|<|start_header_id|>assistant<|end_header_id|>\n\n",
            "demonstration|{\"name\": \"add\", \"parameters\": {\"x\":1}}",
            "observation|<|eot_id|><|start_header_id|>ipython<|end_header_id|>\n\n\"2\"<|eot_id|>",
            "injected|<|start_header_id|>assistant<|end_header_id|>\n\n",
            "demonstration|2<|eot_id|>"});
  refused(dialect, row({kUser, kAdd}), "1, messages[1]", "text precedes a call");
}

TEST_CASE("ReTool, by hand: results stand in the model's own message", "[train]") {
  const ChatDialect dialect{kChatMl, ChatMl{}, RetoolCalls{}};
  const std::string code = R"x({"role": "assistant", "content": "Hm.", "tool_calls": [
    {"name": "python", "arguments": {"code": "print(2)"}}]})x";
  const Demonstrations made = shown(
      dialect, row({kUser, code, kReply, R"x({"role": "assistant", "content": "\\boxed{2}"})x"}));
  CHECK(lines_of(dialect, made.conversations[0][0]) ==
        Lines{"prompt|<|im_start|>user\n1 + 1?<|im_end|>\n", "injected|<|im_start|>assistant\n",
              "demonstration|Hm.\n<code>\nprint(2)\n</code>",
              "observation|\n<interpreter>\n2\n</interpreter>\n",
              "demonstration|\\boxed{2}<|im_end|>"});
  refused(dialect, row({kUser, kAnswer}), "1, messages[1]", "neither <code>");
}

TEST_CASE("thoughts are written as the template has them", "[train]") {
  const std::string thought =
      R"({"role": "assistant", "content": "2", "reasoning_content": "one and one"})";
  const auto said = [&](const auto& dialect, const std::string& message) {
    return lines_of(dialect, shown(dialect, row({kUser, message})).conversations[0][0]).back();
  };
  const ChatDialect qwen3{kChatMl, Qwen3{}, HermesCalls{}};
  CHECK(said(qwen3, thought) == "demonstration|<think>\none and one\n</think>\n\n2<|im_end|>");
  CHECK(said(qwen3, kAnswer) == "demonstration|2<|im_end|>");
  const ChatDialect qwen35{kChatMl, Qwen35{}, HermesCalls{}};
  CHECK(said(qwen35, thought) == "demonstration|one and one\n</think>\n\n2<|im_end|>");
  const ChatDialect qwq{kChatMl, QwQ{}, HermesCalls{}};
  CHECK(said(qwq, thought) == "demonstration|one and one\n</think>\n\n2<|im_end|>");
  const ChatDialect v31{kDeepSeek, DeepSeekV31{}, HermesCalls{}};
  CHECK(said(v31, thought) == "demonstration|one and one</think>2<｜end▁of▁sentence｜>");

  refused(qwen35, row({kUser, kAnswer}), "1, messages[1]", "begin inside a thought");
  refused(chatml(), row({kUser, thought}), "1, messages[1]", "turns of this dialect have none");
  refused(ChatDialect{kChatMl, Qwen3{Thinking::off}, HermesCalls{}}, row({kUser, thought}),
          "1, messages[1]", "turns of this dialect have none");
  refused(qwen3,
          row({kUser, R"({"role": "assistant", "content": "2", "reasoning_content": "</think>"})"}),
          "1, messages[1]", "thoughts hold </think>");
}

TEST_CASE("summaries are demonstrated in the window of their pairing", "[train]") {
  const auto dialect =
      chatml({.summary_request = "Sum up.", .before_summary = "So far: ", .after_summary = ""});
  const std::string lines =
      row({kUser, kAdd, kReply, R"({"role": "summarizer", "content": "x is 2"})", kAnswer});
  const std::string prompt = "prompt|<|im_start|>user\n1 + 1?<|im_end|>\n";
  const std::string header = "injected|<|im_start|>assistant\n";
  const std::string call =
      "Hm.\n<tool_call>\n{\"name\": \"add\", \"arguments\": {\"x\": 1}}\n</tool_call>";
  const std::string reply =
      "observation|<|im_end|>\n<|im_start|>user\n<tool_response>\n2\n</tool_response><|im_end|>\n";
  const std::string request =
      "injected|<|im_start|>user\nSum up.<|im_end|>\n<|im_start|>assistant\n";
  const std::string summary = "demonstration|summarizer|x is 2<|im_end|>";
  const Lines after{prompt, "summary|summarizer|<|im_start|>user\nSo far: x is 2<|im_end|>\n",
                    header, "demonstration|2<|im_end|>"};

  const auto shared = shown(dialect, lines).segments();
  REQUIRE(shared.size() == 2);
  CHECK(lines_of(dialect, shared[0]) ==
        Lines{prompt, header, "demonstration|" + call, reply, request, summary});
  CHECK(lines_of(dialect, shared[1]) == after);

  const Demonstrations separate =
      shown(dialect, lines, {.max_tokens = 4000, .summary_window = SummaryWindow::separate});
  REQUIRE(separate.segments().size() == 3);
  CHECK(lines_of(dialect, separate.segments()[0]) ==
        Lines{prompt, header, "demonstration|" + call, reply});
  const auto own = separate.of(AgentRole::summarizer).segments();
  REQUIRE(own.size() == 1);
  CHECK(own[0].owner == AgentRole::summarizer);
  CHECK(lines_of(dialect, own[0]) ==
        Lines{prompt, header, "action|" + call, reply, request, summary});
  CHECK(separate.of(AgentRole::answerer).segments().size() == 2);
}

TEST_CASE("weight 0 is read and not learned; a segment without a demonstration is left out",
          "[train]") {
  const auto dialect = chatml();
  const auto unlearned = [](std::string message) { return message.insert(1, "\"weight\": 0, "); };
  const std::string summary = R"({"role": "summarizer", "content": "x is 2"})";
  // The summary alone.
  auto segments = shown(dialect, row({kUser, unlearned(kAdd), kReply, summary})).segments();
  REQUIRE(segments.size() == 1);
  CHECK(lines_of(dialect, segments[0])[2].starts_with("action|Hm."));
  // What follows the summary alone, its history unknown.
  segments = shown(dialect, row({kUser, unlearned(summary), kAnswer})).segments();
  REQUIRE(segments.size() == 1);
  const Lines lines = lines_of(dialect, segments[0]);
  REQUIRE(lines.size() == 4);
  CHECK(lines[1].starts_with("summary|summarizer|<|im_start|>user\nSummary of the work so far:"));
  CHECK(lines[3] == "demonstration|2<|im_end|>");
}

TEST_CASE("a row's tools stand in place of the dialect's", "[train]") {
  const auto dialect = chatml({.tools = {{.name = "add", .description = "Adds."}}});
  const auto prompt = [&](const std::string& more) {
    return lines_of(dialect, shown(dialect, row({kUser, kAnswer}, more)).conversations[0][0])[0];
  };
  CHECK(
      prompt("").find("{\"name\": \"add\", \"description\": \"Adds.\", \"parameters\": {\"type\": "
                      "\"object\", \"properties\": {}}}") != std::string::npos);
  const std::string own = prompt(
      R"(, "tools": [{"name": "sub", "description": "d", "parameters": {"type":"object"}}])");
  CHECK(own.find("\"sub\", \"description\": \"d\", \"parameters\": {\"type\": \"object\"}}") !=
        std::string::npos);
  CHECK(own.find("\"add\"") == std::string::npos);
  CHECK(prompt(R"(, "tools": [])") == "prompt|<|im_start|>user\n1 + 1?<|im_end|>\n");
  refused(dialect, row({kUser, kAdd}, R"(, "tools": [{"name": "adds"}])"), "1, messages[1]",
          "'add'; did you mean \"adds\"?");
}

TEST_CASE("what a rollout could not say or would read otherwise is refused", "[train]") {
  const auto dialect = chatml();
  const std::string good = row({kUser, kAnswer});
  refused(dialect, good + "\n" + row({kUser, R"({"role": "assistant", "content": "<|im_end|>"})"}),
          "3, messages[1]", "the content spells the special token <|im_end|>");
  refused(dialect, row({R"({"role": "user", "content": "<|im_start|>"})", kAnswer}),
          "1, messages[0]", "special token <|im_start|>");
  refused(dialect, row({R"({"role": "system", "content": "<|im_start|>"})", kUser, kAnswer}),
          "1, messages[1]", "the system message spells");
  refused(dialect, row({kUser, kAdd, R"({"role": "tool", "content": "<|im_end|>"})"}),
          "1, messages[1]", "a reply to its calls spells");
  refused(dialect, row({kUser, R"({"role": "assistant", "tool_calls": [
                {"name": "f", "arguments": {"x": "<|im_end|>"}}]})"}),
          "1, messages[1]", "a call spells");
  refused(dialect, row({kUser, R"({"role": "assistant", "content": "a </tool_call> b"})"}),
          "1, messages[1]", "closes no <tool_call>");
  refused(dialect, row({kUser, R"({"role": "assistant", "content":
                "<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>"})"}),
          "1, messages[1]", "\"tool_calls\"");
  const std::string two = R"({"role": "assistant", "tool_calls": [
    {"name": "f", "arguments": {}}, {"name": "g", "arguments": {}}]})";
  refused(dialect, row({kUser, two}), "1, messages[1]", "CallsPerTurn::several");
  CHECK(shown(chatml({.calls = CallsPerTurn::several}), row({kUser, two})).conversations.size() ==
        1);
  CHECK_THROWS_WITH(shown(dialect, "\n\n"), ContainsSubstring("no conversations"));
  CHECK_THROWS_WITH(shown(dialect, good, {}), ContainsSubstring("max_tokens"));
  CHECK_THROWS_WITH(read_demonstrations("/nowhere.jsonl", dialect, {.max_tokens = 9}),
                    ContainsSubstring("/nowhere.jsonl"));
}

TEST_CASE("what does not fit is refused, or left out and said once", "[train]") {
  const auto dialect = chatml({.max_turn_tokens = 8});
  const std::string good = row({kUser, kAnswer});
  const std::string long_turn = row({kUser, R"({"role": "assistant", "content": "12345678"})"});
  // Prompt: 1 + 5 + 6 + 1 + 1; header: 11; turn: 2.
  CHECK(shown(dialect, good, {.max_tokens = 14 + 11 + 2}).conversations.size() == 1);
  CHECK_THROWS_WITH(shown(dialect, good, {.max_tokens = 14 + 11 + 1}),
                    ContainsSubstring("c.jsonl:1, messages[1]") &&
                        ContainsSubstring("has 27 tokens up to here, 26 are allowed"));
  refused(dialect, good + long_turn, "2, messages[1]",
          "what is said has 9 tokens, the dialect allows 8");
  Warnings warnings;
  const Demonstrations made = shown(dialect, good + long_turn + long_turn,
                                    {.max_tokens = 100, .overlong = Overlong::left_out});
  CHECK(made.conversations.size() == 1);
  CHECK(made.left_out == 2);
  CHECK(warnings.count() == 1);
  CHECK_THAT(warnings.text(), ContainsSubstring("2 of 3 conversations do not fit"));
  CHECK_THROWS_WITH(shown(dialect, long_turn, {.max_tokens = 100, .overlong = Overlong::left_out}),
                    ContainsSubstring("no conversations"));
}

TEST_CASE("batches show every conversation once a pass, in an order of their own", "[train]") {
  const auto dialect = chatml();
  std::string lines;
  for (const char* text : {"a", "b", "c", "d", "e"})
    lines += row({kUser, R"({"role": "assistant", "content": ")" + std::string(text) + "\"}"});
  const Demonstrations made = shown(dialect, lines);
  const RandomStream random = RandomStream::from_seed(3);
  std::string seen;
  for (std::size_t step = 0; step < 10; ++step) {
    const auto batch = made.batch(step, 2, random);
    REQUIRE(batch.size() == 2);
    for (const Segment& segment : batch) seen += lines_of(dialect, segment).back()[14];
    CHECK(made.batch(step, 2, random)[1].context.tokens().back() == 257);
  }
  for (std::size_t pass = 0; pass < 4; ++pass) {
    std::string one = seen.substr(5 * pass, 5);
    std::sort(one.begin(), one.end());
    CHECK(one == "abcde");
  }
  CHECK(seen.substr(0, 5) != seen.substr(5, 5));
  CHECK(made.batch(0, 5, RandomStream::from_seed(4)).size() == 5);
  CHECK_THROWS_WITH(Demonstrations{}.batch(0, 1, random), ContainsSubstring("no conversations"));
}
