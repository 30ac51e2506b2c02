#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dualagent/model/scripted.hpp"
#include "dualagent/rollout/pairing.hpp"
#include "dualagent/rollout/protocol.hpp"
#include "dualagent/rollout/scheduler.hpp"
#include "dualagent/text/chat_dialect.hpp"
#include "dualagent/text/chatml_templates.hpp"
#include "dualagent/text/glm_calls.hpp"
#include "dualagent/text/glm_templates.hpp"
#include "dualagent/text/hermes_calls.hpp"
#include "dualagent/text/llama3_calls.hpp"
#include "dualagent/text/llama3_template.hpp"
#include "dualagent/text/qwen_coder_calls.hpp"
#include "dualagent/text/retool_calls.hpp"
#include "dualagent/train/demonstrations.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;

// A conversation in a file must become what an episode that goes like it holds.

namespace {

/// Says its code's length.
struct Python {
  static constexpr std::string_view name = "python";
  struct Arguments {
    std::string code;
    template <class Visitor>
    void describe(Visitor&& visit) {
      visit("code", code);
    }
  };
  std::string operator()(const Arguments& a, const CallInfo&) const {
    return std::to_string(a.code.size()) + " bytes";
  }
};

/// After the second turn, once.
struct OnceAfterTwo {
  bool should_summarize(const ContextStatus& status) const {
    return status.turns >= 2 && status.summaries == 0;
  }
};

/// What a model of one dialect says, written by hand.
struct Script {
  std::vector<std::string> turns;  ///< call, call, summary, call, answer
  std::string end;                 ///< name of the end-of-turn token
  bool ends_calls = false;         ///< whether a turn that calls ends with it as well
};

const std::string kConversation = R"x({"messages": [
  {"role": "system", "content": "S"}, {"role": "user", "content": "Q"},
  {"role": "assistant", TEXT"tool_calls": [{"name": "python", "arguments": {"code":"a"}}]},
  {"role": "tool", "content": "1 bytes"},
  {"role": "assistant", "tool_calls": [{"name": "python", "arguments": {"code":"bb"}}]},
  {"role": "tool", "content": "2 bytes"},
  {"role": "summarizer", "content": "So far 3."},
  {"role": "assistant", "tool_calls": [{"name": "python", "arguments": {"code":"ccc"}}]},
  {"role": "tool", "content": "3 bytes"},
  {"role": "assistant", "content": "\\boxed{6}"}]})x";

std::string conversation(const std::string& text) {
  std::string row = kConversation;
  row.replace(row.find("TEXT"), 4, text.empty() ? "" : "\"content\": \"" + text + "\", ");
  for (char& c : row)
    if (c == '\n') c = ' ';
  return row;
}

template <class Dialect>
std::vector<Token> tokens_of(const Dialect& dialect, const Script& script, std::size_t turn) {
  std::vector<Token> tokens;
  dialect.tokenizer().encode(script.turns.at(turn), tokens);
  const bool calls = turn == 0 || turn == 1 || turn == 3;
  if (!calls || script.ends_calls) tokens.push_back(*dialect.tokenizer().special(script.end));
  return tokens;
}

/// Plays the script.
template <class Pairing, class Dialect, class Rewriter, class Turns>
Rollout played(const Turns& turns, const Dialect& dialect, const Rewriter& rewriter) {
  std::size_t next = 0;
  const auto speak = [&](std::span<const Token>, AgentRole, const RandomStream&) {
    return turns(next++);
  };
  ScriptedModel model(dialect.tokenizer().vocab_size(), speak, 4000);
  const Protocol protocol{dialect, ToolBox{Python{}}, OnceAfterTwo{}, rewriter,
                          RolloutLimits{.max_context_tokens = 4000}};
  const auto run = [&](auto pairing) {
    RolloutScheduler scheduler(pairing, protocol);
    const std::vector<Task> tasks{{.id = "t", .prompt = "Q", .system = "S"}};
    return scheduler.run(tasks, 1, {}, RandomStream::from_seed(1)).at(0);
  };
  if constexpr (Pairing::summary_window == SummaryWindow::shared)
    return run(SharedWeights{model});
  else
    return run(SeparateWeights{model, model});
}

template <class Pairing, class Dialect, class Rewriter = ReplaceBySummary>
void check_equal(const Dialect& dialect, const Script& script, const std::string& row,
                 const Rewriter& rewriter = {}) {
  const Rollout rollout = played<Pairing>(
      [&](std::size_t turn) { return tokens_of(dialect, script, turn); }, dialect, rewriter);
  REQUIRE(rollout.answer.has_value());
  REQUIRE(rollout.summaries == 1);
  const TemporaryFolder folder;
  write_file_atomically(folder / "c.jsonl", row);
  const Demonstrations made = read_demonstrations(
      folder / "c.jsonl", dialect, {.max_tokens = 4000, .summary_window = Pairing::summary_window},
      rewriter);
  const std::vector<Segment> shown = made.segments();
  REQUIRE(shown.size() == rollout.segments.size());
  for (std::size_t s = 0; s < shown.size(); ++s) {
    const Context& a = shown[s].context;
    const Context& b = rollout.segments[s].context;
    CHECK(shown[s].owner == rollout.segments[s].owner);
    CHECK(decode(dialect.tokenizer(), a.tokens()) == decode(dialect.tokenizer(), b.tokens()));
    CHECK(std::vector<Token>(a.tokens().begin(), a.tokens().end()) ==
          std::vector<Token>(b.tokens().begin(), b.tokens().end()));
    REQUIRE(a.spans().size() == b.spans().size());
    for (std::size_t i = 0; i < a.spans().size(); ++i) {
      const Span one = a.spans()[i], other = b.spans()[i];
      CHECK(one.begin == other.begin);
      CHECK(one.size == other.size);
      CHECK(one.agent == other.agent);
      CHECK(one.provenance == (other.is_sampled() ? Provenance::demonstration : other.provenance));
    }
  }
}

struct Shared {
  static constexpr SummaryWindow summary_window = SummaryWindow::shared;
};
struct Separate {
  static constexpr SummaryWindow summary_window = SummaryWindow::separate;
};

template <class Dialect>
void check_all(const Dialect& dialect, const Script& script, const std::string& text) {
  check_equal<Shared>(dialect, script, conversation(text));
  check_equal<Separate>(dialect, script, conversation(text));
}

const std::vector<ToolSpec> kTools = ToolBox{Python{}}.specs();
const ByteTokenizer kChatMl({"<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>"});

std::string hermes(const std::string& code) {
  return "<tool_call>\n{\"name\": \"python\", \"arguments\": {\"code\": \"" + code +
         "\"}}\n</tool_call>";
}

}  // namespace

TEST_CASE("a conversation equals its episode in ChatML with Hermes' calls", "[train][rollout]") {
  // Byte tokens: the tags are text here, and stay text in the file's dialect.
  const ByteTokenizer bytes({"<|im_start|>", "<|im_end|>"});
  const Script script{
      {"Hm.\n" + hermes("a"), hermes("bb"), "So far 3.", hermes("ccc"), "\\boxed{6}"},
      "<|im_end|>"};
  check_all(ChatDialect{bytes, Qwen25{}, HermesCalls{}, {.tools = kTools}}, script, "Hm.");
  check_equal<Separate>(ChatDialect{bytes, ChatMl{}, HermesCalls{}, {.tools = kTools}}, script,
                        conversation("Hm."), KeepLastTurns{.turns = 1});
  Script several = script;
  several.ends_calls = true;
  check_all(
      ChatDialect{
          bytes, ChatMl{}, HermesCalls{}, {.tools = kTools, .calls = CallsPerTurn::several}},
      several, "Hm.");
  check_all(ChatDialect{bytes, Qwen3{Thinking::off}, HermesCalls{}, {.tools = kTools}}, script,
            "Hm.");
}

TEST_CASE("a call's tags are tokens where the tokenizer has them", "[train][rollout]") {
  const ChatDialect dialect{kChatMl, ChatMl{}, HermesCalls{}, {.tools = kTools}};
  const Token open = *kChatMl.special("<tool_call>"), close = *kChatMl.special("</tool_call>");
  const auto call = [&](const std::string& code) {
    std::vector<Token> said{open};
    kChatMl.encode("\n{\"name\": \"python\", \"arguments\": {\"code\": \"" + code + "\"}}\n", said);
    said.push_back(close);
    return said;
  };
  const TemporaryFolder folder;
  write_file_atomically(folder / "c.jsonl", conversation(""));
  const auto shown = read_demonstrations(folder / "c.jsonl", dialect, {.max_tokens = 4000});
  const Context& window = shown.conversations.at(0).at(0).context;
  const auto turn = window.tokens(window.spans()[2]);
  CHECK(std::vector<Token>(turn.begin(), turn.end()) == call("a"));
}

TEST_CASE("a conversation equals its episode in Llama 3", "[train][rollout]") {
  const ByteTokenizer bytes(
      {"<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"});
  const auto call = [](const std::string& code) {
    return "{\"name\": \"python\", \"parameters\": {\"code\": \"" + code + "\"}}";
  };
  check_all(ChatDialect{bytes, Llama3{}, Llama3Calls{}, {.tools = kTools}},
            {{call("a"), call("bb"), "So far 3.", call("ccc"), "\\boxed{6}"}, "<|eot_id|>"}, "");
}

TEST_CASE("a conversation equals its episode in Qwen's coder format and in ReTool's",
          "[train][rollout]") {
  const ByteTokenizer bytes({"<|im_start|>", "<|im_end|>"});
  const auto coder = [](const std::string& code) {
    return "<tool_call>\n<function=python>\n<parameter=code>\n" + code +
           "\n</parameter>\n</function>\n</tool_call>";
  };
  check_all(
      ChatDialect{bytes, Qwen35{Thinking::off}, QwenCoderCalls::of(kTools), {.tools = kTools}},
      {{"Hm.\n\n" + coder("a"), coder("bb"), "So far 3.", coder("ccc"), "\\boxed{6}"},
       "<|im_end|>"},
      "Hm.");
  const auto retool = [](const std::string& code) { return "<code>\n" + code + "\n</code>"; };
  check_all(ChatDialect{bytes, ChatMl{}, RetoolCalls{}, {.tools = kTools}},
            {{"Hm.\n" + retool("a"), retool("bb"), "So far 3.", retool("ccc"), "\\boxed{6}"},
             "<|im_end|>"},
            "Hm.");
}

TEST_CASE("a conversation equals its episode in GLM-4.5", "[train][rollout]") {
  const ByteTokenizer bytes({"[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>",
                             "<|observation|>", "/nothink"});
  const auto call = [](const std::string& code) {
    return "\n<tool_call>python\n<arg_key>code</arg_key>\n<arg_value>" + code +
           "</arg_value>\n</tool_call>";
  };
  check_all(
      ChatDialect{bytes, Glm45{Thinking::off}, Glm45Calls::of(kTools), {.tools = kTools}},
      {{"\nHm." + call("a"), call("bb"), "\nSo far 3.", call("ccc"), "\n\\boxed{6}"}, "<|user|>"},
      "Hm.");
}
