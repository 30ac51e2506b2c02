#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "dualagent/text/chat_template.hpp"

namespace dualagent {

/// Phi-3 and Phi-3.5 Instruct: `<|user|>\nTEXT<|end|>\n<|assistant|>\n`.
///
/// These models' templates know no tools. Ours describes them at the end of the system message, and
/// writes all results of a turn as one user message.
/// Source: the chat templates of Phi-3-mini-4k-instruct and Phi-3.5-mini-instruct, which end a
/// conversation that asks for no turn with the end of text; ours does not.
struct Phi3 {
  static constexpr std::string_view end_of_turn = "<|end|>";
  static constexpr std::array<std::string_view, 1> other_ends{"<|endoftext|>"};
  static constexpr std::string_view thinking_open = {}, thinking_close = {}, append_only = {};
  static constexpr bool begins_thinking() { return false; }

  void open(Pieces& pieces, const Opening& opening) const {
    if (!opening.system.empty() || !opening.tools.empty()) {
      const bool both = !opening.system.empty() && !opening.tools.empty();
      pieces.special("<|system|>").text("\n").text(opening.system).text(both ? "\n\n" : "");
      pieces.text(opening.tools);
      end_user(pieces);
    }
    user(pieces, opening.user);
  }

  void user(Pieces& pieces, std::string_view text) const {
    begin_user(pieces);
    pieces.text(text);
    end_user(pieces);
  }
  void begin_user(Pieces& pieces) const { pieces.special("<|user|>").text("\n"); }
  void end_user(Pieces& pieces) const { pieces.special(end_of_turn).text("\n"); }
  void results(Pieces& pieces, std::span<const std::string> bodies) const {
    begin_user(pieces);
    for (std::size_t i = 0; i < bodies.size(); ++i) pieces.text(i == 0 ? "" : "\n").text(bodies[i]);
    end_user(pieces);
  }

  void assistant(Pieces& pieces) const { pieces.special("<|assistant|>").text("\n"); }
  void after_turn(Pieces& pieces) const { pieces.text("\n"); }
};
static_assert(ChatTemplate<Phi3>);

}  // namespace dualagent
