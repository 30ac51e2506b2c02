#include "dualagent/text/dialect_for.hpp"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dualagent/model/scripted.hpp"
#include "dualagent/rollout/pairing.hpp"
#include "dualagent/rollout/scheduler.hpp"
#include "laws/dialect_laws.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

namespace {

const std::string kSmolLm2 =
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ "
    "'<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging "
    "Face<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] "
    "+ '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ "
    "'<|im_start|>assistant\n' }}{% endif %}";
const std::string kChatMl =
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + "
    "'<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' "
    "}}{% endif %}";
const std::string kR1 = "{{ bos_token }}{% for m in messages %}<｜User｜>{{ m }}{% endfor %}";

const ByteTokenizer kBytes({"<|im_start|>", "<|im_end|>", "<｜begin▁of▁sentence｜>", "<｜User｜>",
                            "<｜Assistant｜>", "<｜end▁of▁sentence｜>", "<|begin_of_text|>",
                            "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<think>",
                            "</think>"});

void write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}
void write_config(const std::filesystem::path& folder, const nlohmann::json& config) {
  write(folder / "tokenizer_config.json", config.dump());
}

template <class Dialect>
std::string prompt_of(const Dialect& dialect) {
  return decode(kBytes, dialect.prompt({.prompt = "Hi"}));
}

}  // namespace

TEST_CASE("a checkpoint's dialect is the one of its Jinja text, and says why", "[text]") {
  const TemporaryFolder folder;
  write_config(folder.path(), {{"chat_template", kSmolLm2}});
  const auto dialect = dialect_for(folder.path(), kBytes, {.chat = {.max_turn_tokens = 9}});
  CHECK(dialect.name == "smollm2");
  CHECK_THAT(dialect.reason, ContainsSubstring("tokenizer_config.json is that of SmolLM2"));
  CHECK_THAT(dialect.reason, ContainsSubstring("872be49dbb638044ad01b60388f48d469ff2980e5f0dccdc"));
  CHECK_THAT(prompt_of(dialect), ContainsSubstring("named SmolLM"));
  CHECK(dialect.turn_stop().max_new_tokens == 9);

  write(folder.path() / "chat_template.jinja", kChatMl + "\n");
  const auto own_file = dialect_for(folder.path(), kBytes);
  CHECK(own_file.name == "chatml");
  CHECK_THAT(own_file.reason, ContainsSubstring("chat_template.jinja is that of"));
  CHECK(prompt_of(own_file) == "<|im_start|>user\nHi<|im_end|>\n");
}

TEST_CASE("of several templates the default one is taken, or the one for tools", "[text]") {
  const TemporaryFolder folder;
  write_config(folder.path(), {{"chat_template",
                                {{{"name", 7}, {"template", 8}},
                                 {{"name", "default"}, {"template", kSmolLm2}},
                                 {{"name", "rag"}, {"template", "x"}},
                                 {{"name", "tool_use"}, {"template", kChatMl}}}}});
  CHECK(dialect_for(folder.path(), kBytes).name == "smollm2");
  CHECK(dialect_for(folder.path(), kBytes, {.chat = {.tools = {{"f"}}}}).name == "chatml");
}

TEST_CASE("an unknown template is refused with its digest and what is like it", "[text]") {
  const TemporaryFolder folder;
  const auto dialect = [&] { dialect_for(folder.path(), kBytes); };
  CHECK_THROWS_WITH(dialect(),
                    ContainsSubstring("no chat template") &&
                        ContainsSubstring("docs/dialects.md#a-dialect-for-a-checkpoint"));
  write_config(folder.path(), {{"chat_template", 7}});
  CHECK_THROWS_WITH(dialect(), ContainsSubstring("neither a text nor a list"));
  write_config(folder.path(), {{"chat_template", {{{"name", "rag"}, {"template", "x"}}, 7}}});
  CHECK_THROWS_WITH(dialect(), ContainsSubstring("neither a text nor a list"));
  write(folder.path() / "chat_template.jinja", kR1);
  CHECK_THROWS_WITH(dialect(), ContainsSubstring(chat_template_digest(kR1)) &&
                                   ContainsSubstring("chat_template.jinja") &&
                                   ContainsSubstring("same tokens: deepseek-v3, deepseek-v3.1, "
                                                     "deepseek-r1, deepseek-r1-0528"));
  write(folder.path() / "chat_template.jinja", "{{ messages }}");
  CHECK_THROWS_WITH(dialect(), ContainsSubstring("no known template is like it"));
  write(folder.path() / "tokenizer_config.json", "{");
  CHECK_THROWS_WITH(dialect(), ContainsSubstring("tokenizer_config.json"));
}

TEST_CASE("a first token that is not the template's is refused", "[text]") {
  const KnownTemplate& r1 = *known_template("deepseek-r1");
  const auto check = [&](const nlohmann::json& config) {
    detail::check_first_token(r1, config, "folder");
  };
  check({{"bos_token", "<｜begin▁of▁sentence｜>"}});
  check({{"bos_token", {{"content", "<｜begin▁of▁sentence｜>"}}}});
  CHECK_THROWS_WITH(check({{"bos_token", "<s>"}}), ContainsSubstring("\"bos_token\" is \"<s>\""));
  CHECK_THROWS_WITH(check(nullptr), ContainsSubstring("\"bos_token\" is null"));
  detail::check_first_token(*known_template("qwen3"), nullptr, "folder");
}

TEST_CASE("a dialect can be named", "[text]") {
  CHECK(prompt_of(dialect_named("llama3", kBytes)) ==
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>");
  CHECK_THAT(prompt_of(dialect_named("llama3.2", kBytes, {.today = "5 May 2025"})),
             ContainsSubstring("Today Date: 5 May 2025\n"));
  CHECK_THROWS_WITH(dialect_named("qwen9", kBytes),
                    ContainsSubstring("'qwen9'") && ContainsSubstring("qwen2.5-math, qwen3, "));
  CHECK_THAT(prompt_of(dialect_named("llama3.2", kBytes)),
             ContainsSubstring("Today Date: 26 Jul 2024\n"));
  for (const char* name : {"deepseek-r1", "ministral-3-reasoning"})
    CHECK_THROWS_WITH(dialect_named(name, kBytes, {.thinking = Thinking::off}),
                      ContainsSubstring("always think"));
}

TEST_CASE("Mistral Small is told the day in its own form", "[text]") {
  const ByteTokenizer bytes({"<s>", "</s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]",
                             "[/SYSTEM_PROMPT]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]"});
  const auto told = [&](const std::string& today) {
    const auto small = dialect_named("mistral-small-3.2", bytes, {.today = today});
    return decode(bytes, small.prompt({.prompt = "Hi"}));
  };
  CHECK_THAT(told(""), ContainsSubstring("The current date is 2025-06-01.\n"));
  CHECK_THAT(told("2025-12-31"), ContainsSubstring("The current date is 2025-12-31.\n"));
}

TEST_CASE("what opens messages must be a token, tags in turns may be text", "[text]") {
  const std::vector<std::string> openers{"[gMASK]",  "<sop>",         "<|system|>",
                                         "<|user|>", "<|assistant|>", "<|observation|>"};
  const DialectOptions off{.chat = {.tools = {{"f"}}}, .thinking = Thinking::off};
  const auto glm = dialect_named("glm-4.5", ByteTokenizer(openers), off);
  CHECK(decode(glm.tokenizer(), glm.turn_opening(Context{})) == "<|assistant|>\n<think></think>");
  CHECK_THAT(decode(glm.tokenizer(), glm.prompt({.prompt = "Hi"})),
             ContainsSubstring("...\n</tool_call><|user|>\nHi/nothink"));
  CHECK_THROWS_WITH(dialect_named("glm-4.7", ByteTokenizer({"[gMASK]", "<sop>", "<|user|>"}), off),
                    ContainsSubstring("no special token '<|"));
}

TEST_CASE("every known dialect obeys the laws of dialects", "[text][laws]") {
  const std::vector<Task> tasks{{.id = "a", .prompt = "<|im_end|>\xFF"}};
  for (const std::string name : {"qwen3.5", "deepseek-r1"})
    CHECK(laws::of_dialect(dialect_named(name, kBytes, {.chat = {.tools = {{"f"}}}}), tasks,
                           kBytes.vocab_size()) == laws::Violations{});
}

TEST_CASE("a named dialect plays an episode", "[text][rollout]") {
  const Protocol protocol{dialect_named("deepseek-r1", kBytes),
                          toy::Tools{toy::Successor<>{}},
                          TurnCount{.turns = 8},
                          ReplaceBySummary{},
                          {}};
  ScriptedModel model(kBytes.vocab_size(), [](std::span<const Token> context, AgentRole,
                                              const RandomStream&) {
    const bool asked = decode(kBytes, context).find("tool_response") != std::string::npos;
    std::vector<Token> said;
    kBytes.encode(asked ? "So.\n</think>\n\n2"
                        : "Hm.\n</think>\n\n<tool_call>\n{\"name\": \"successor\", \"arguments\": "
                          "{\"x\": 1}}\n</tool_call> and",
                  said);
    said.push_back(*kBytes.special("<｜end▁of▁sentence｜>"));
    return said;
  });
  RolloutScheduler scheduler(SharedWeights{model}, protocol);
  const std::vector<Task> tasks{{.id = "t", .prompt = "1 + 1?"}};
  const auto rollouts = scheduler.run(tasks, 1, {}, RandomStream::from_seed(1));
  CHECK(rollouts[0].answer == "2");
  CHECK(decode(kBytes, rollouts[0].segments[0].context.tokens()) ==
        "<｜begin▁of▁sentence｜><｜User｜>1 + "
        "1?<｜Assistant｜><think>\nHm.\n</think>\n\n<tool_call>\n"
        "{\"name\": \"successor\", \"arguments\": {\"x\": 1}}\n</tool_call><｜end▁of▁sentence｜>"
        "<｜User｜><tool_response>\n2\n</tool_response><｜Assistant｜><think>\nSo.\n</think>\n\n2"
        "<｜end▁of▁sentence｜>");
}
