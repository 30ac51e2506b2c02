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
