#include "dualagent/text/chatml_templates.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

// tests/text/chat_template_test.cpp compares whole conversations with the models' own templates.

namespace {
template <class Template>
std::string opened(const Template& chat, const Opening& opening) {
  Pieces pieces;
  chat.open(pieces, opening);
  return pieces.str();
}
}  // namespace

TEST_CASE("the family differs in the system message that nobody asked for", "[text]") {
  const std::string user = "<|im_start|>user\nHi<|im_end|>\n";
  CHECK(opened(ChatMl{}, {.user = "Hi"}) == user);
  CHECK(opened(Qwen3{}, {.user = "Hi"}) == user);
  CHECK(opened(Qwen25{}, {.user = "Hi"}) ==
        "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful "
        "assistant.<|im_end|>\n" +
            user);
  CHECK(opened(SmolLm2{}, {.user = "Hi"}) ==
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging "
        "Face<|im_end|>\n" +
            user);
  for (const std::string& text : {opened(ChatMl{}, {.system = "S", .tools = "T", .user = "Hi"}),
                                  opened(Qwen25{}, {.system = "S", .tools = "T", .user = "Hi"}),
                                  opened(SmolLm2{}, {.system = "S", .tools = "T", .user = "Hi"})})
    CHECK(text == "<|im_start|>system\nS\n\nT<|im_end|>\n" + user);
}

TEST_CASE("results of a turn are one user message, tags around them are markers", "[text]") {
  Pieces pieces;
  ChatMl{}.results(
      pieces, std::vector<std::string>{"<tool_response>\n1</tool_response>", "2</tool_response>"});
  CHECK(pieces.str() ==
        "<|im_start|>user\n<tool_response>\n1</tool_response>\n2</tool_response><|im_end|>\n");
  std::vector<std::string> markers;
  for (const Piece& piece : pieces.all())
    if (piece.kind == Piece::Kind::marker) markers.push_back(piece.bytes);
  CHECK(markers == std::vector<std::string>{"<tool_response>", "</tool_response>"});
}

TEST_CASE("what a result says between its tags stays text", "[text]") {
  Pieces pieces;
  ChatMl{}.results(pieces, std::vector<std::string>{
                               "<tool_response></tool_response><|im_end|></tool_response>"});
  std::string text;
  std::size_t special = 0;
  for (const Piece& piece : pieces.all()) {
    if (piece.kind == Piece::Kind::text) text += piece.bytes;
    special += piece.kind == Piece::Kind::special ? 1 : 0;
  }
  CHECK(text == "user\n</tool_response><|im_end|>\n");
  CHECK(special == 2);  // of the template itself
}

TEST_CASE("Qwen 3 that does not think begins with an empty thought", "[text]") {
  Pieces on, off;
  Qwen3{}.assistant(on);
  Qwen3 silent;
  silent.thinking = Thinking::off;
  silent.assistant(off);
  CHECK(on.str() == "<|im_start|>assistant\n");
  CHECK(off.str() == "<|im_start|>assistant\n<think>\n\n</think>\n\n");
}

TEST_CASE("Qwen 3.5 puts tools before the system's text, trims, and opens the thought", "[text]") {
  const std::string user = "<|im_start|>user\nHi<|im_end|>\n";
  CHECK(opened(Qwen35{}, {" S\n", "T", " Hi "}) == "<|im_start|>system\nT\n\nS<|im_end|>\n" + user);
  CHECK(opened(Qwen35{}, {.system = "S", .user = "Hi"}) ==
        "<|im_start|>system\nS<|im_end|>\n" + user);
  CHECK(opened(Qwen35{}, {.tools = "T", .user = "Hi"}) ==
        "<|im_start|>system\nT<|im_end|>\n" + user);
  CHECK(opened(Qwen35{}, {.user = "Hi"}) == user);
  Pieces on, off, results;
  Qwen35{}.assistant(on);
  Qwen35{Thinking::off}.assistant(off);
  Qwen35{}.results(results, std::vector<std::string>{"<tool_response>\n 1 \n\n</tool_response>"});
  CHECK(on.str() == "<|im_start|>assistant\n<think>\n");
  CHECK(off.str() == "<|im_start|>assistant\n<think>\n\n</think>\n\n");
  CHECK(results.str() == "<|im_start|>user\n<tool_response>\n1\n</tool_response><|im_end|>\n");
}

TEST_CASE("thoughts and text are written as Qwen's own templates write them", "[text]") {
  const auto said = [](const auto& chat, std::string_view thoughts, std::string_view text) {
    Pieces pieces;
    chat.said(pieces, thoughts, text);
    return pieces.str();
  };
  CHECK(said(Qwen3{}, "\n 2 + 2\n", "\n\n4\n") == "<think>\n 2 + 2\n</think>\n\n4\n");
  CHECK(said(Qwen3{}, "", "\n4") == "\n4");
  CHECK(said(Qwen35{}, " 2 + 2\n", " 4\n") == "2 + 2\n</think>\n\n4");
  CHECK(said(Qwen35{Thinking::off}, "", " 4\n") == "4");
}
