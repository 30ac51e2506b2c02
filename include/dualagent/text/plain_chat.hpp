#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "dualagent/text/chat_template.hpp"

namespace dualagent {

/// Messages as text, for models without a chat template: "User:\nTEXT\n\nAssistant:\n". Only the
/// end of a turn is a special token. Text from outside can spell such a header: use a template with
/// special tokens where that matters.
struct PlainChat {
  std::string end_of_turn = "<|endoftext|>";
  std::string system_header = "System:\n";
  std::string user_header = "User:\n";
  std::string result_header = "Tool:\n";
  std::string assistant_header = "Assistant:\n";

  static constexpr std::array<std::string_view, 0> other_ends{};
  static constexpr std::string_view thinking_open = {}, thinking_close = {}, append_only = {};
  static constexpr bool begins_thinking() { return false; }

  void open(Pieces& pieces, const Opening& opening) const {
    if (!opening.system.empty() || !opening.tools.empty()) {
      const bool both = !opening.system.empty() && !opening.tools.empty();
      pieces.text(system_header).text(opening.system).text(both ? "\n\n" : "");
      pieces.text(opening.tools).text("\n\n");
    }
    user(pieces, opening.user);
  }

  void user(Pieces& pieces, std::string_view text) const {
    pieces.text(user_header).text(text).text("\n\n");
  }
  void begin_user(Pieces& pieces) const { pieces.text(user_header); }
  void end_user(Pieces& pieces) const { pieces.text("\n\n"); }

  void results(Pieces& pieces, std::span<const std::string> bodies) const {
    for (const std::string& body : bodies) pieces.text(result_header).text(body).text("\n\n");
  }

  void assistant(Pieces& pieces) const { pieces.text(assistant_header); }
  void after_turn(Pieces& pieces) const { pieces.text("\n\n"); }
};
static_assert(ChatTemplate<PlainChat>);

}  // namespace dualagent
