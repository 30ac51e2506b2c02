#include "dualagent/text/any_chat_template.hpp"

#include <string>
#include <vector>

#include "dualagent/text/chatml_templates.hpp"
#include "dualagent/text/glm_templates.hpp"
#include "dualagent/text/llama3_template.hpp"
#include "dualagent/text/mistral_templates.hpp"
#include "dualagent/text/plain_chat.hpp"
#include "support/catch.hpp"

using namespace dualagent;

namespace {

/// Everything that a template can write, piece by piece.
template <class Template>
std::vector<std::string> written(const Template& chat) {
  Pieces pieces;
  chat.open(pieces, {"S", "T", "U"});
  chat.assistant(pieces);
  pieces.special(chat.end_of_turn);
  chat.after_turn(pieces);
  chat.results(pieces, std::vector<std::string>{"1", "2"});
  chat.user(pieces, " V ");
  if constexpr (WritesWhatWasSaid<Template>)
    chat.said(pieces, chat.thinking_open.empty() ? "" : "T", " W ");
  else
    pieces.text(" W ");
  chat.begin_user(pieces);
  chat.end_user(pieces);
  std::vector<std::string> all;
  for (const Piece& piece : pieces.all())
    all.push_back(std::to_string(static_cast<int>(piece.kind)) + piece.bytes);
  for (const std::string_view end : chat.other_ends) all.emplace_back(end);
  for (const std::string_view text :
       {std::string_view(chat.thinking_open), std::string_view(chat.thinking_close),
        std::string_view(chat.append_only)})
    all.emplace_back(text);
  all.push_back(chat.begins_thinking() ? "begins inside a thought" : "");
  return all;
}

}  // namespace

TEST_CASE("AnyChatTemplate writes what the template that it holds writes", "[text]") {
  CHECK(written(AnyChatTemplate(Qwen3{Thinking::off})) == written(Qwen3{Thinking::off}));
  CHECK(written(AnyChatTemplate(Qwen35{})) == written(Qwen35{}));
  CHECK(written(AnyChatTemplate(Llama3{})) == written(Llama3{}));
  CHECK(written(AnyChatTemplate(Glm45{Thinking::off})) == written(Glm45{Thinking::off}));
  CHECK(written(AnyChatTemplate(Glm47{})) == written(Glm47{}));
  CHECK(written(AnyChatTemplate(Ministral3{"S"})) == written(Ministral3{"S"}));
}

TEST_CASE("a copy of AnyChatTemplate keeps the texts of the template alive", "[text]") {
  const std::string end = "<a name too long to be stored inside a string object>";
  AnyChatTemplate one = PlainChat{.end_of_turn = end};
  const AnyChatTemplate other = one;
  one = ChatMl{};
  CHECK(other.end_of_turn == end);
  CHECK(one.end_of_turn == "<|im_end|>");
  CHECK(written(other) == written(PlainChat{.end_of_turn = end}));
}
