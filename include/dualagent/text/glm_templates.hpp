#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "dualagent/text/chat_template.hpp"

namespace dualagent {

/// GLM-4 (9B Chat) and GLM-4 0414, whose turns end with the token that opens the next message:
/// `[gMASK]<sop><|user|>\nTEXT<|assistant|>\nTEXT<|user|>`.
///
/// Ours describes tools at the end of the system message and writes each result as a message of
/// <|observation|>, both in the words of the call format; the calls that these models were trained
/// on (a tool's name, a line break, JSON, told from an answer by <|observation|> alone) are not
/// written. A model that ends a turn with the other opener than is due goes on in the message it
/// has opened. Source: the chat templates of glm-4-9b-chat and GLM-4-32B-0414. Example:
/// Glm4{false}, the template of glm-4-9b-chat.
struct Glm4 {
  /// Whether the line break behind <|assistant|> is given; in glm-4-9b-chat the model says it.
  bool header_ends_line;

  explicit constexpr Glm4(bool ends_line = true) : header_ends_line(ends_line) {}

  static constexpr std::string_view end_of_turn = {};
  static constexpr std::array<std::string_view, 3> other_ends{"<|user|>", "<|observation|>",
                                                              "<|endoftext|>"};
  static constexpr std::string_view thinking_open = {}, thinking_close = {}, append_only = {};
  static constexpr bool begins_thinking() { return false; }

  void open(Pieces& pieces, const Opening& opening) const {
    pieces.special("[gMASK]").special("<sop>");
    if (!opening.system.empty() || !opening.tools.empty()) {
      const bool both = !opening.system.empty() && !opening.tools.empty();
      pieces.special("<|system|>").text("\n").text(opening.system).text(both ? "\n\n" : "");
      pieces.text(opening.tools);
    }
    user(pieces, opening.user);
  }

  void user(Pieces& pieces, std::string_view text) const {
    begin_user(pieces);
    pieces.text(text);
  }
  void begin_user(Pieces& pieces) const { pieces.special("<|user|>").text("\n"); }
  void end_user(Pieces&) const {}

  /// A message for each result.
  void results(Pieces& pieces, std::span<const std::string> bodies) const {
    for (const std::string& body : bodies) pieces.special("<|observation|>").text("\n").text(body);
  }

  void assistant(Pieces& pieces) const {
    pieces.special("<|assistant|>").text(header_ends_line ? "\n" : "");
  }
  void after_turn(Pieces&) const {}
  void said(Pieces& pieces, std::string_view, std::string_view text) const {
    pieces.text(header_ends_line ? "" : "\n").text(text);
  }
};
static_assert(ChatTemplate<Glm4>);

}  // namespace dualagent
