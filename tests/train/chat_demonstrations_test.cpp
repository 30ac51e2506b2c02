#include <algorithm>
#include <cstddef>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/text/chat_dialect.hpp"
#include "dualagent/text/hugging_face_tokenizer.hpp"
#include "dualagent/text/known_templates.hpp"
#include "dualagent/train/demonstrations.hpp"
#include "support/catch.hpp"
#include "support/chats.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;
using chats::Json;

// Conversations as transformers' apply_chat_template renders them: golden/chat_templates.

namespace {

const Json& golden() {
  static const Json stored =
      Json::parse(std::ifstream(DUALAGENT_TEST_DATA "/chat_templates/chat_templates.json"));
  return stored;
}

const ByteTokenizer& tokenizer() {
  static const ByteTokenizer bytes({"<|im_start|>", "<|im_end|>", "<|begin_of_text|>",
                                    "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"});
  return bytes;
}

/// The golden's conversation as a row of a file.
std::string row_of(const Json& conversation) {
  Json row{{"messages", conversation.at("messages")}, {"tools", Json::array()}};
  for (const std::size_t index : conversation.at("tools"))
    row["tools"].push_back({{"type", "function"}, {"function", golden().at("tools").at(index)}});
  return row.dump();
}

/// A rollout would end, or be refused, where an assistant's text holds a stray tag; and there is
/// nothing to learn where the assistant has not spoken yet.
bool can_be_shown(const Json& conversation) {
  bool speaks = false;
  for (const Json& message : conversation.at("messages")) {
    if (message.at("role") != "assistant") continue;
    speaks = true;
    const std::string content = message.at("content");
    if (content.find("</tool_call>") != std::string::npos) return false;
  }
  return speaks;
}

/// Calls name tools that the golden's conversation may not list.
bool calls_are_told(const Json& conversation) {
  std::string told;
  for (const std::size_t index : conversation.at("tools"))
    told += " " + golden().at("tools").at(index).at("name").get<std::string>() + " ";
  for (const Json& message : conversation.at("messages"))
    if (message.contains("tool_calls"))
      for (const Json& call : message.at("tool_calls"))
        if (told.find(" " + call.at("function").at("name").get<std::string>() + " ") ==
            std::string::npos)
          return told.empty();
  return true;
}

/// Ours up to the last turn, and what the template writes behind it.
template <class Template, class Format>
std::size_t check_template(const Template& chat, const Format& format, const std::string& name,
                           CallsPerTurn calls) {
  const ChatDialect dialect{tokenizer(), chat, format, {.max_turn_tokens = 4000, .calls = calls}};
  const TemporaryFolder folder;
  std::size_t shown = 0;
  for (const Json& conversation : golden().at("templates").at(name)) {
    if (!can_be_shown(conversation) || !calls_are_told(conversation)) continue;
    ++shown;
    write_file_atomically(folder / "c.jsonl", row_of(conversation));
    const auto segments =
        read_demonstrations(folder / "c.jsonl", dialect, {.max_tokens = 100000}).segments();
    REQUIRE(segments.size() == 1);
    const Context& context = segments[0].context;
    Pieces rest;
    if (conversation.at("prompt"))
      chat.assistant(rest);
    else
      chat.after_turn(rest);
    CHECK(decode(tokenizer(), context.tokens()) + rest.str() ==
          conversation.at("text").get<std::string>());
  }
  return shown;
}

}  // namespace

TEST_CASE("a conversation of a file is written as transformers writes it", "[train][golden]") {
  constexpr std::size_t kEnough = 7;
  CHECK(check_template(Qwen25{}, HermesCalls{}, "Qwen25", CallsPerTurn::several) >= kEnough);
  CHECK(check_template(SmolLm2{}, HermesCalls{}, "SmolLm2", CallsPerTurn::several) >= kEnough);
  CHECK(check_template(Llama3{}, Llama3Calls{}, "Llama3", CallsPerTurn::one) >= kEnough);
  CHECK(check_template(Qwen3{}, HermesCalls{}, "Qwen3", CallsPerTurn::several) >= kEnough);
  CHECK(check_template(Qwen3{}, HermesCalls{}, "Qwen3 kept", CallsPerTurn::several) >= kEnough);
  CHECK(check_template(Qwen3{Thinking::off}, HermesCalls{}, "Qwen3 off", CallsPerTurn::several) >=
        kEnough);
}

TEST_CASE("tokens and mask of a conversation are those that transformers gives it",
          "[train][golden]") {
  const auto renamed = [](std::string text, const std::string& what, const std::string& by) {
    for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
      text.replace(at, what.size(), by);
    return text;
  };
  const std::string file = read_file(DUALAGENT_TEST_DATA "/tokenizers/qwen2.json");
  const auto qwen = HuggingFaceTokenizer::from_json(
      renamed(renamed(file, "<|start|>", "<|im_start|>"), "<|end|>", "<|im_end|>"), "qwen2.json");
  const ChatDialect dialect{qwen, Qwen25{}, HermesCalls{}, {.calls = CallsPerTurn::several}};
  const TemporaryFolder folder;
  std::ifstream golden_lines(DUALAGENT_TEST_DATA "/chat_templates/demonstrations.jsonl");
  std::size_t conversations = 0, learned = 0;
  for (std::string line; std::getline(golden_lines, line); ++conversations) {
    const Json expected = Json::parse(line);
    write_file_atomically(folder / "c.jsonl", expected.at("row").get<std::string>());
    const Segment segment =
        read_demonstrations(folder / "c.jsonl", dialect, {.max_tokens = 100000}).segments().at(0);
    std::vector<Token> ids(segment.context.tokens().begin(), segment.context.tokens().end());
    std::vector<int> mask(ids.size(), 0);
    for (const Span& span : segment.context.spans())
      if (span.provenance == Provenance::demonstration)
        std::fill_n(mask.begin() + static_cast<std::ptrdiff_t>(span.begin), span.size, 1);
    qwen.encode("\n", ids);  // the template's, behind the last turn
    mask.resize(ids.size(), 0);
    CHECK(ids == expected.at("ids").get<std::vector<Token>>());
    CHECK(mask == expected.at("mask").get<std::vector<int>>());
    learned += static_cast<std::size_t>(std::count(mask.begin(), mask.end(), 1));
  }
  CHECK(conversations == 16);
  CHECK(learned > 1000);
}
