#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "dualagent/text/call_format.hpp"
#include "dualagent/text/chat_template.hpp"

namespace dualagent {

/// Llama 3 to 3.3 Instruct: tools in the first user message, results from `ipython`.
///
/// The system message of 3.1 and later opens with two dates. Llama 3.2's own template writes the
/// day on which it is run; ours writes `today`, so that a run can be repeated. Llama 3 has no dates
/// and no tools: with `knowledge_date` empty there is a system message only where it has a text.
/// Text of the system and of users is trimmed, as the model's own template does. Pair it with
/// Llama3Calls and CallsPerTurn::one: the model writes one call per message.
/// Source: the chat templates of Meta-Llama-3-8B-Instruct, Llama-3.1-8B-Instruct and
/// Llama-3.2-1B-Instruct.
struct Llama3 {
  std::string knowledge_date = "December 2023";  ///< empty: no dates
  std::string today = "26 Jul 2024";

  static constexpr std::string_view end_of_turn = "<|eot_id|>";
  static constexpr std::array<std::string_view, 2> other_ends{"<|eom_id|>", "<|end_of_text|>"};
  static constexpr std::string_view thinking_open = {}, thinking_close = {}, append_only = {};
  static constexpr bool begins_thinking() { return false; }

  void open(Pieces& pieces, const Opening& opening) const {
    pieces.special("<|begin_of_text|>");
    if (!knowledge_date.empty() || !opening.system.empty()) {
      begin(pieces, "system");
      if (!knowledge_date.empty()) write_dates(pieces, !opening.tools.empty());
      pieces.text(trimmed(opening.system)).special(end_of_turn);
    }
    begin(pieces, "user");
    pieces.text(opening.tools).text(trimmed(opening.user)).special(end_of_turn);
  }

  void user(Pieces& pieces, std::string_view text) const {
    begin(pieces, "user");
    pieces.text(trimmed(text)).special(end_of_turn);
  }
  void begin_user(Pieces& pieces) const { begin(pieces, "user"); }
  void end_user(Pieces& pieces) const { pieces.special(end_of_turn); }

  /// A message for each result.
  void results(Pieces& pieces, std::span<const std::string> bodies) const {
    for (const std::string& body : bodies) {
      begin(pieces, "ipython");
      pieces.text(body).special(end_of_turn);
    }
  }

  void assistant(Pieces& pieces) const { begin(pieces, "assistant"); }
  void after_turn(Pieces&) const {}
  void said(Pieces& pieces, std::string_view, std::string_view text) const {
    pieces.text(trimmed(text));
  }

 private:
  void write_dates(Pieces& pieces, bool tools) const {
    if (tools) pieces.text("Environment: ipython\n");
    pieces.text("Cutting Knowledge Date: " + knowledge_date + "\nToday Date: " + today + "\n\n");
  }

  static void begin(Pieces& pieces, std::string_view role) {
    pieces.special("<|start_header_id|>").text(role).special("<|end_header_id|>").text("\n\n");
  }
};
static_assert(ChatTemplate<Llama3>);

}  // namespace dualagent
