#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "dualagent/core/trim.hpp"
#include "dualagent/text/chat_template.hpp"

namespace dualagent {

/// Gemma 1 to 3 Instruct: `<bos><start_of_turn>user\nTEXT<end_of_turn>\n<start_of_turn>model\n`.
///
/// There is no system message: its text opens the first message of the user, as in Gemma 3, and the
/// tools stand behind it. All results of a turn are one user message. Texts of users and of the
/// model are trimmed, as the models' own templates do.
/// Source: the chat templates of gemma-2-2b-it and gemma-3-1b-it.
struct Gemma {
  static constexpr std::string_view end_of_turn = "<end_of_turn>";
  static constexpr std::array<std::string_view, 1> other_ends{"<eos>"};
  static constexpr std::string_view thinking_open = {}, thinking_close = {}, append_only = {};
  static constexpr bool begins_thinking() { return false; }

  void open(Pieces& pieces, const Opening& opening) const {
    pieces.special("<bos>");
    begin_user(pieces);
    pieces.text(opening.system).text(opening.system.empty() ? "" : "\n\n");
    pieces.text(opening.tools).text(opening.tools.empty() ? "" : "\n\n");
    pieces.text(trimmed(opening.user));
    end_user(pieces);
  }

  void user(Pieces& pieces, std::string_view text) const {
    begin_user(pieces);
    pieces.text(trimmed(text));
    end_user(pieces);
  }
  void begin_user(Pieces& pieces) const { begin(pieces, "user"); }
  void end_user(Pieces& pieces) const { pieces.special(end_of_turn).text("\n"); }
  void results(Pieces& pieces, std::span<const std::string> bodies) const {
    begin_user(pieces);
    for (std::size_t i = 0; i < bodies.size(); ++i) pieces.text(i == 0 ? "" : "\n").text(bodies[i]);
    end_user(pieces);
  }

  void assistant(Pieces& pieces) const { begin(pieces, "model"); }
  void after_turn(Pieces& pieces) const { pieces.text("\n"); }
  void said(Pieces& pieces, std::string_view, std::string_view text) const {
    pieces.text(trimmed(text));
  }

 private:
  static void begin(Pieces& pieces, std::string_view role) {
    pieces.special("<start_of_turn>").text(role).text("\n");
  }
};
static_assert(ChatTemplate<Gemma>);

}  // namespace dualagent
