#include "dualagent/text/glm_templates.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <variant>
#include <vector>

#include "dualagent/core/random.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/model/scripted.hpp"
#include "dualagent/rollout/pairing.hpp"
#include "dualagent/rollout/scheduler.hpp"
#include "dualagent/text/chat_dialect.hpp"
#include "dualagent/text/glm_calls.hpp"
#include "dualagent/text/hermes_calls.hpp"
#include "dualagent/train/demonstrations.hpp"
#include "laws/dialect_laws.hpp"
#include "support/catch.hpp"
#include "support/sanitizers.hpp"
#include "support/temporary_folder.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

// tests/text/known_templates_test.cpp compares whole conversations with the models' own templates.

namespace {

const ByteTokenizer kBytes({"[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>",
                            "<|observation|>", "<|endoftext|>"});
const Token kUser = *kBytes.special("<|user|>"), kResults = *kBytes.special("<|observation|>");

auto dialect(CallsPerTurn calls = CallsPerTurn::several) {
  return ChatDialect(kBytes, Glm4{}, HermesCalls{},
                     {.tools = {{"successor", "", "{\"type\": \"object\"}"}}, .calls = calls});
}

std::vector<Token> tokens_of(const std::string& text, Token end) {
  std::vector<Token> tokens;
  kBytes.encode(text, tokens);
  tokens.push_back(end);
  return tokens;
}
std::string text_of(std::span<const Token> tokens) { return decode(kBytes, tokens); }

const std::string kCall =
    "<tool_call>\n{\"name\": \"successor\", \"arguments\": {\"x\": 1}}\n</tool_call>";

bool two_openers_meet(const std::vector<Token>& tokens) {
  const auto opens = [](Token token) { return token == kUser || token == kResults; };
  return std::adjacent_find(tokens.begin(), tokens.end(),
                            [&](Token a, Token b) { return opens(a) && opens(b); }) != tokens.end();
}

}  // namespace

TEST_CASE("a turn of GLM-4 that is written is read as what was said", "[text]") {
  const std::vector<ToolCall> calls{{"successor", "{\"x\": 1}"}, {"successor", "{\"x\": 2}"}};
  for (const CallsPerTurn per_turn : {CallsPerTurn::one, CallsPerTurn::several}) {
    const auto glm = dialect(per_turn);
    const auto answer = glm.write_turn({.text = "It is 2."});
    CHECK(text_of(answer) == "It is 2.<|user|>");
    CHECK(std::get<Answer>(glm.parse_turn(answer)).text == "It is 2.");
    const std::ptrdiff_t count = per_turn == CallsPerTurn::one ? 1 : 2;
    const auto turn =
        glm.write_turn({.text = "So", .calls = {calls.begin(), calls.begin() + count}});
    const auto read = std::get<std::vector<ToolCall>>(glm.parse_turn(turn));
    REQUIRE(read.size() == static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < read.size(); ++i) CHECK(read[i].arguments == calls[i].arguments);
    CHECK((turn.back() == kResults) == (per_turn == CallsPerTurn::several));
  }
  CHECK(text_of(dialect().write_summary({.text = "1 + 1"})) == "1 + 1<|user|>");
}

TEST_CASE("what follows a turn of GLM-4 does not open its message twice", "[text]") {
  const auto glm = dialect();
  const std::vector<std::string> results{"2", "3"};
  CHECK(text_of(glm.observation(results, tokens_of(kCall, kResults))) ==
        "\n<tool_response>\n2\n</tool_response><|observation|>\n<tool_response>\n3\n"
        "</tool_response>");
  CHECK(text_of(glm.observation(std::vector<std::string>{"2"}, tokens_of(kCall, '!'))) ==
        "<|observation|>\n<tool_response>\n2\n</tool_response>");
  CHECK(text_of(glm.user_message("And?", tokens_of("2", kUser))) == "\nAnd?");
  const Token text_end = *kBytes.special("<|endoftext|>");
  CHECK(text_of(glm.user_message("And?", tokens_of("2", text_end))) == "<|user|>\nAnd?");
}

TEST_CASE("a message that GLM-4 has opened is the one that follows, whatever is due", "[text]") {
  const auto glm = dialect();
  CHECK(text_of(glm.observation(std::vector<std::string>{"2", "3"}, tokens_of(kCall, kUser))) ==
        "\n<tool_response>\n2\n</tool_response>\n<tool_response>\n3\n</tool_response>");
  CHECK(text_of(glm.user_message("And?", tokens_of("2", kResults))) ==
        "\n<tool_response>\nAnd?\n</tool_response>");
  const auto correction = glm.correction({"it is odd"}, tokens_of("<tool_call>", kResults));
  CHECK(text_of(correction.value()) ==
        "\n<tool_response>\nYour last message could not be read: it is odd. Please write it "
        "again.\n</tool_response>");
}

TEST_CASE("no two openers meet, whatever GLM-4 says", "[text][laws]") {
  const auto glm = dialect();
  const auto random = RandomStream::from_seed(5);
  for (std::size_t i = 0; i < random_cases(3000); ++i) {
    const RandomStream draws = random.child(i);
    std::vector<Token> said(1 + draws.below(0, 6));
    // Up to its end a turn has no opener: one ends it.
    for (std::size_t t = 0; t < said.size(); ++t)
      said[t] =
          static_cast<Token>(draws.below(1 + t, t + 1 == said.size() ? kBytes.vocab_size() : 256));
    std::vector<std::vector<Token>> next{glm.user_message("A", said),
                                         glm.observation(std::vector<std::string>{"1"}, said)};
    if (const auto correction = glm.correction({"x"}, said)) next.push_back(*correction);
    for (std::vector<Token>& tokens : next) {
      const std::size_t given = tokens.size();
      tokens.insert(tokens.begin(), said.begin(), said.end());
      CHECK(!two_openers_meet(tokens));
      CHECK(std::count_if(tokens.end() - static_cast<std::ptrdiff_t>(given) - 1, tokens.end(),
                          [](Token token) { return token == kUser || token == kResults; }) == 1);
    }
  }
  const std::vector<Task> tasks{{.id = "a", .prompt = "<|user|>\xFF"}};
  CHECK(laws::of_dialect(glm, tasks, kBytes.vocab_size()) == laws::Violations{});
}

TEST_CASE("in an episode of GLM-4 the opener belongs to the turn that ends with it",
          "[text][rollout]") {
  const Protocol protocol{
      dialect(), toy::Tools{toy::Successor<>{}}, TurnCount{.turns = 8}, ReplaceBySummary{}, {}};
  ScriptedModel model(
      kBytes.vocab_size(), [](std::span<const Token> context, AgentRole, const RandomStream&) {
        const bool asked = text_of(context).find("2\n</tool_resp") != std::string::npos;
        return asked ? tokens_of("2", kUser) : tokens_of(kCall, kResults);
      });
  RolloutScheduler scheduler(SharedWeights{model}, protocol);
  const std::vector<Task> tasks{{.id = "t", .prompt = "1 + 1?", .system = "Add."}};
  const auto rollouts = scheduler.run(tasks, 1, {}, RandomStream::from_seed(1));
  CHECK(rollouts[0].answer == "2");
  const Context& context = rollouts[0].segments[0].context;
  const std::string text = text_of(context.tokens());
  CHECK_THAT(text, ContainsSubstring("[gMASK]<sop><|system|>\nAdd.\n\n# Tools"));
  CHECK(text.ends_with("<|user|>\n1 + 1?<|assistant|>\n" + kCall +
                       "<|observation|>\n<tool_response>\n2\n</tool_response><|assistant|>\n2"
                       "<|user|>"));
  CHECK(!two_openers_meet({context.tokens().begin(), context.tokens().end()}));
  std::vector<std::string> sampled;
  for (const Span& span : context.spans())
    if (span.provenance == Provenance::sampled) sampled.push_back(text_of(context.tokens(span)));
  CHECK(sampled == std::vector<std::string>{kCall + "<|observation|>", "2<|user|>"});
}

TEST_CASE("in a demonstration of GLM-4 each opener stands once and is trained with its turn",
          "[text][train]") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "c.jsonl",
                        R"({"messages": [{"role": "user", "content": "1 + 1?"},)"
                        R"({"role": "assistant", "content": "2"},)"
                        R"({"role": "user", "content": "2 + 2?"},)"
                        R"({"role": "assistant", "content": "4"}]})");
  const ChatDialect glm{kBytes, Glm4{}, HermesCalls{}};
  const auto segments =
      read_demonstrations(folder / "c.jsonl", glm, {.max_tokens = 1000}).segments();
  REQUIRE(segments.size() == 1);
  const Context& context = segments[0].context;
  CHECK(text_of(context.tokens()) ==
        "[gMASK]<sop><|user|>\n1 + 1?<|assistant|>\n2<|user|>\n2 + 2?<|assistant|>\n4<|user|>");
  std::vector<std::string> shown;
  for (const Span& span : context.spans())
    if (span.provenance == Provenance::demonstration)
      shown.push_back(text_of(context.tokens(span)));
  CHECK(shown == std::vector<std::string>{"2<|user|>", "4<|user|>"});
}

TEST_CASE("in glm-4-9b-chat the model says the line break behind its header", "[text]") {
  Pieces pieces;
  Glm4{false}.assistant(pieces);
  Glm4{false}.said(pieces, "", "2");
  CHECK(pieces.str() == "<|assistant|>\n2");
  const ChatDialect glm{kBytes, Glm4{false}, HermesCalls{}};
  CHECK(text_of(glm.write_turn({.text = "2"})) == "\n2<|user|>");
  CHECK(std::get<Answer>(glm.parse_turn(glm.write_turn({.text = "2"}))).text == "2");
}

namespace {

/// As GLM-4.5's tokenizer: what stands in a turn or a result is a token, too.
const ByteTokenizer kGlm45Bytes({"[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>",
                                 "<|observation|>", "<|endoftext|>", "/nothink", "<think>",
                                 "</think>", "<tool_call>", "</tool_call>", "<tool_response>",
                                 "</tool_response>", "<arg_key>", "</arg_key>", "<arg_value>",
                                 "</arg_value>"});

ChatOptions with_successor(CallsPerTurn calls = CallsPerTurn::several) {
  return {.tools = {{"successor", "", "{\"type\": \"object\"}"}}, .calls = calls};
}
auto glm45(Thinking thinking = Thinking::on) {
  return ChatDialect(kGlm45Bytes, Glm45{thinking}, Glm45Calls{}, with_successor());
}
auto glm47(Thinking thinking = Thinking::on) {
  return ChatDialect(kGlm45Bytes, Glm47{thinking}, Glm47Calls{}, with_successor());
}
std::string text45(std::span<const Token> tokens) { return decode(kGlm45Bytes, tokens); }

/// The number of tokens that stand for a name and not for a byte.
std::ptrdiff_t names_in(std::span<const Token> tokens) {
  return std::count_if(tokens.begin(), tokens.end(), [](Token token) { return token > 255; });
}

std::string header(const auto& dialect) { return text45(dialect.turn_opening(Context{})); }

}  // namespace

TEST_CASE("GLM-4.5 and 4.7 describe tools in a system message before the system's", "[text]") {
  const Task task{.id = "t", .prompt = "1 + 1?", .system = "Add."};
  const auto prompt = glm45().prompt(task);
  const std::string text = text45(prompt);
  CHECK(text.starts_with("[gMASK]<sop><|system|>\n# Tools\n\nYou may call"));
  CHECK(text.ends_with("...\n</tool_call><|system|>\nAdd.<|user|>\n1 + 1?"));
  CHECK(names_in(prompt) == 2 + 3 + 10);  // the start, the openers, the tags of the description
  CHECK(text45(glm47().prompt(task)).ends_with("...</tool_call><|system|>Add.<|user|>1 + 1?"));
  const ChatDialect bare(kGlm45Bytes, Glm45{}, Glm45Calls{});
  CHECK(text45(bare.prompt({.prompt = "Hi"})) == "[gMASK]<sop><|user|>\nHi");
}

TEST_CASE("GLM-4.5 that does not think is told so behind each message of the user", "[text]") {
  const auto off = glm45(Thinking::off);
  CHECK(header(glm45()) == "<|assistant|>");
  CHECK(header(off) == "<|assistant|>\n<think></think>");
  CHECK(header(glm47()) == "<|assistant|><think>");
  CHECK(header(glm47(Thinking::off)) == "<|assistant|></think>");
  for (const std::string asked : {"And?", "And?/nothink"}) {
    const auto tokens = off.user_message(asked, {});
    CHECK(text45(tokens) == "<|user|>\nAnd?/nothink");
    CHECK(tokens.back() == *kGlm45Bytes.special("/nothink"));
    CHECK(text45(glm45().user_message(asked, {})) == "<|user|>\n" + asked);
    CHECK(names_in(glm45().user_message(asked, {})) == 1);  // a user writes text alone
    CHECK(text45(glm47(Thinking::off).user_message(asked, {})) == "<|user|>" + asked);
  }
  const auto summary = off.present_summary(tokens_of("2", *kGlm45Bytes.special("<|user|>")));
  CHECK(text45(summary).ends_with("Go on from there./nothink"));
  CHECK(summary.back() == *kGlm45Bytes.special("/nothink"));
}

TEST_CASE("a turn of GLM-4.5 or 4.7 that is written is read as what was said", "[text]") {
  const std::vector<ToolCall> calls{{"successor", "{\"x\": 1}"}, {"successor", "{\"x\": 2}"}};
  const auto check = [&](const auto& dialect, std::string_view thoughts, std::string_view begin,
                         std::string_view end) {
    const SaidTurn said{.thoughts = std::string(thoughts), .text = "So", .calls = calls};
    const auto turn = dialect.write_turn(said);
    const std::string text = text45(turn);
    CHECK(text.starts_with(begin));
    CHECK(text.ends_with(end));
    const auto read = std::get<std::vector<ToolCall>>(dialect.parse_turn(turn));
    REQUIRE(read.size() == 2);
    for (std::size_t i = 0; i < 2; ++i) CHECK(read[i].arguments == calls[i].arguments);
    const auto answer = dialect.write_turn({.thoughts = std::string(thoughts), .text = "It is 2."});
    CHECK(std::get<Answer>(dialect.parse_turn(answer)).text == "It is 2.");
    CHECK(text45(answer).ends_with("It is 2.<|user|>"));
  };
  check(glm45(), " 1 + 1\n", "\n<think>1 + 1</think>\nSo\n<tool_call>successor\n<arg_key>",
        "</arg_value>\n</tool_call><|observation|>");
  check(glm45(), "", "\n<think></think>\nSo\n<tool_call>", "</tool_call><|observation|>");
  check(glm45(Thinking::off), "", "\nSo\n<tool_call>", "</tool_call><|observation|>");
  check(glm47(), "1 + 1", "1 + 1</think>So<tool_call>successor<arg_key>",
        "</arg_value></tool_call><|observation|>");
  check(glm47(Thinking::off), "", "So<tool_call>successor<arg_key>",
        "</arg_value></tool_call><|observation|>");
  const auto call = glm45().write_turn({.thoughts = "1", .calls = {calls[0]}});
  CHECK(text45(call).starts_with("\n<think>1</think>\n<tool_call>successor\n"));
  CHECK(names_in(call) == 2 + 2 + 4 + 1);  // thought, call, argument, end of turn
}

TEST_CASE("what GLM-4.5 thinks holds no call, and a thought that never ends is malformed",
          "[text]") {
  const std::string call = "<tool_call>successor\n</tool_call>";
  const auto answer = glm45().parse_turn(tokens_of("\n<think>" + call + "</think>\n2", '.'));
  CHECK(std::get<Answer>(answer).text == "2.");
  CHECK(std::holds_alternative<MalformedTurn>(
      glm45().parse_turn(tokens_of("\n<think>" + call, '.'))));
  CHECK(std::holds_alternative<MalformedTurn>(glm47().parse_turn(tokens_of(call, '.'))));
  CHECK_THROWS_WITH(glm47(Thinking::off).write_turn({.thoughts = "1", .text = "2"}),
                    ContainsSubstring("turns of this dialect have none"));
}

TEST_CASE("all results of a turn of GLM-4.5 are one message", "[text]") {
  const std::vector<std::string> results{"2", "<|user|></tool_response>"};
  const Token opens = *kGlm45Bytes.special("<|observation|>");
  const auto said = glm45().write_turn({.thoughts = "1", .calls = {{"successor", "{}"}}});
  REQUIRE(said.back() == opens);
  const auto tokens = glm45().observation(results, said);
  CHECK(text45(tokens) ==
        "\n<tool_response>\n2\n</tool_response>\n<tool_response>\n<|user|></tool_response>\n"
        "</tool_response>");
  CHECK(names_in(tokens) == 4);
  CHECK(text45(glm47().observation(results, {})) ==
        "<|observation|><tool_response>2</tool_response><tool_response><|user|></tool_response>"
        "</tool_response>");
  const std::vector<Task> tasks{{.id = "a", .prompt = "<|user|>\xFF"}};
  CHECK(laws::of_dialect(glm45(Thinking::off), tasks, kGlm45Bytes.vocab_size()) ==
        laws::Violations{});
  CHECK(laws::of_dialect(glm47(), tasks, kGlm45Bytes.vocab_size()) == laws::Violations{});
}

TEST_CASE("an episode of GLM-4.5 keeps what was thought before the last message of the user",
          "[text][rollout]") {
  const Protocol protocol{
      glm45(), toy::Tools{toy::Successor<>{}}, TurnCount{.turns = 8}, ReplaceBySummary{}, {}};
  const auto tokens = [](const std::string& text, std::string_view end) {
    std::vector<Token> said;
    kGlm45Bytes.encode(text, said);
    said.push_back(*kGlm45Bytes.special(end));
    return said;
  };
  const std::string call =
      "<tool_call>successor\n<arg_key>x</arg_key>\n<arg_value>1</arg_value>\n</tool_call>";
  ScriptedModel model(kGlm45Bytes.vocab_size(),
                      [&](std::span<const Token> context, AgentRole, const RandomStream&) {
                        const std::string text = text45(context);
                        if (text.find("could not be read") == text.npos)
                          return tokens("\n<think>a</think>\n<tool_call>1</tool_call", "<|user|>");
                        return text.find("2\n</tool_resp") == text.npos
                                   ? tokens("\n<think>b</think>\n" + call, "<|observation|>")
                                   : tokens("\n<think>c</think>\n2", "<|user|>");
                      });
  RolloutScheduler scheduler(SharedWeights{model}, protocol);
  const std::vector<Task> tasks{{.id = "t", .prompt = "1 + 1?"}};
  const auto rollouts = scheduler.run(tasks, 1, {}, RandomStream::from_seed(1));
  CHECK(rollouts[0].answer == "2");
  const std::string text = text45(rollouts[0].segments[0].context.tokens());
  CHECK(text.substr(text.find("1 + 1?")) ==
        "1 + 1?<|assistant|>\n<think>a</think>\n<tool_call>1</tool_call<|user|>\nYour last message "
        "could not be read: call 1: <arg_key>NAME</arg_key> or </tool_call> is expected at byte "
        "13, before '</tool_call'. Please write it again.<|assistant|>\n<think>b</think>\n" +
            call +
            "<|observation|>\n<tool_response>\n2\n</tool_response><|assistant|>\n<think>c</think>\n"
            "2<|user|>");
}
