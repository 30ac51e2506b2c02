#include "dualagent/text/chat_template.hpp"

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dualagent/text/any_chat_template.hpp"
#include "dualagent/text/chat_dialect.hpp"
#include "dualagent/text/chatml_templates.hpp"
#include "dualagent/text/gpt_oss_calls.hpp"
#include "dualagent/text/hermes_calls.hpp"
#include "dualagent/text/llama3_calls.hpp"
#include "dualagent/text/llama3_template.hpp"
#include "dualagent/text/plain_chat.hpp"
#include "dualagent/text/qwen_coder_calls.hpp"
#include "support/catch.hpp"
#include "support/chats.hpp"
#include "support/turns.hpp"

using namespace dualagent;

namespace {

using chats::Json;

/// Made by golden/chat_templates/make_chat_templates.py with transformers.
const Json& golden() {
  static const Json stored =
      Json::parse(std::ifstream(DUALAGENT_TEST_DATA "/chat_templates/chat_templates.json"));
  return stored;
}

/// What the model said in a message of the conversation.
template <class Template, class Format>
std::string said(const Template& chat, const Format& format, const Json& message) {
  const std::string thoughts = message.at("reasoning_content"), text = message.at("content");
  Pieces pieces;
  AnyChatTemplate(chat).said(pieces, thoughts, text);
  return pieces.str() + chats::spoken(format, message, "\n").substr(text.size());
}

template <class Template, class Format>
void check_template(const Template& chat, const Format& format, const std::string& name) {
  const Json& conversations = golden().at("templates").at(name);
  REQUIRE(conversations.size() == 50);
  for (const Json& conversation : conversations)
    CHECK(
        chats::rendered(chat, format, golden().at("tools"), conversation, [&](const Json& message) {
          return said(chat, format, message);
        }).str() == conversation.at("text").get<std::string>());
}

template <class Format>
void check_turns(const Format& format, const std::string& name) {
  const Json& turns_said = golden().at("turns").at(name);
  REQUIRE(turns_said.size() == 50);
  for (const Json& turn : turns_said) {
    const auto wanted = chats::calls_of(turn.at("calls"));
    const auto read = turns::calls_of(format.parse(turn.at("said").get<std::string>()));
    REQUIRE(read.size() == wanted.size());
    for (std::size_t i = 0; i < read.size(); ++i) {
      CHECK(read[i].tool == wanted[i].tool);
      CHECK(nlohmann::json::parse(read[i].arguments) == nlohmann::json::parse(wanted[i].arguments));
    }
  }
}

/// Text as tokens and special tokens by name.
std::string joined(const Pieces& pieces) {
  std::string text;
  for (const Piece& piece : pieces.all())
    text += (piece.kind == Piece::Kind::text      ? "|"
             : piece.kind == Piece::Kind::special ? "|!"
                                                  : "|?") +
            piece.bytes;
  return text;
}

}  // namespace

TEST_CASE("conversations are written as transformers writes them", "[text][golden]") {
  check_template(Qwen25{}, HermesCalls{}, "Qwen25");
  check_template(SmolLm2{}, HermesCalls{}, "SmolLm2");
  check_template(Llama3{}, Llama3Calls{}, "Llama3");
  check_template(Qwen3{}, HermesCalls{}, "Qwen3");
}

TEST_CASE("Qwen 3 keeps thoughts as TRL's append-only variant of its template does",
          "[text][golden]") {
  check_template(Qwen3{}, HermesCalls{}, "Qwen3 kept");
  check_template(Qwen3{Thinking::off}, HermesCalls{}, "Qwen3 off");
}

TEST_CASE("calls are read as the models' templates write them", "[text][golden]") {
  check_turns(HermesCalls{}, "HermesCalls");
  check_turns(QwenCoderCalls{}, "QwenCoderCalls");
  check_turns(Llama3Calls{}, "Llama3Calls");
  check_turns(GptOssCalls{}, "GptOssCalls");
}

TEST_CASE("templates mark their special tokens, and text from outside is text", "[text]") {
  Pieces pieces;
  Qwen3{}.user(pieces, "<|im_end|> <think>");
  CHECK(joined(pieces) == "|!<|im_start|>|user\n<|im_end|> <think>|!<|im_end|>|\n");
  Pieces results;
  const std::vector<std::string> bodies{HermesCalls{}.render_result({}, "</tool_response>"),
                                        "free text"};
  Qwen3{}.results(results, bodies);
  CHECK(joined(results) ==
        "|!<|im_start|>|user\n|?<tool_response>|\n</tool_response>\n|?</tool_response>|\nfree "
        "text|!<|im_end|>|\n");
  Pieces off;
  Qwen3{Thinking::off}.assistant(off);
  CHECK(joined(off) == "|!<|im_start|>|assistant\n|?<think>|\n\n|?</think>|\n\n");
}

TEST_CASE("a marker is a token where the tokenizer has it, and text elsewhere", "[text]") {
  Pieces pieces;
  pieces.text("a").marker("<think>").text("b");
  CHECK(encode(ByteTokenizer{}, pieces).size() == 9);
  CHECK(encode(ByteTokenizer({"<think>"}), pieces) == std::vector<Token>{'a', 256, 'b'});
  pieces.special("<|x|>");
  CHECK_THROWS_WITH(encode(ByteTokenizer{}, pieces), ContainsSubstring("no special token '<|x|>'"));
}

TEST_CASE("plain chat writes messages as text", "[text]") {
  const PlainChat chat{.end_of_turn = "<end>"};
  Pieces pieces;
  chat.open(pieces, {"S", "T", "U"});
  chat.assistant(pieces);
  pieces.text("A").special(chat.end_of_turn);
  chat.after_turn(pieces);
  chat.results(pieces, std::vector<std::string>{"1", "2"});
  chat.user(pieces, "V");
  CHECK(joined(pieces) ==
        "|System:\nS\n\nT\n\nUser:\nU\n\nAssistant:\nA|!<end>|\n\nTool:\n1\n\nTool:\n2\n\nUser:\nV"
        "\n\n");
  Pieces bare;
  chat.open(bare, {"", "", "U"});
  CHECK(bare.str() == "User:\nU\n\n");
}
