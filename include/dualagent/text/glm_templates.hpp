#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "dualagent/core/trim.hpp"
#include "dualagent/text/chat_template.hpp"

namespace dualagent {

namespace detail {

/// What GLM-4 and later share: a turn ends with the token that opens the next message.
struct GlmTurns {
  static constexpr std::string_view end_of_turn = {};
  static constexpr std::array<std::string_view, 3> other_ends{"<|user|>", "<|observation|>",
                                                              "<|endoftext|>"};
  void after_turn(Pieces&) const {}
};

/// What GLM-4.5 and later share: thoughts, tools in a system message of their own, all results of a
/// turn in one message.
struct GlmThoughts : GlmTurns {
  static constexpr std::string_view thinking_open = "<think>", thinking_close = "</think>";
  static constexpr std::string_view append_only =
      "thoughts of earlier turns stay where they were sampled";

 protected:
  static void open_with(Pieces& pieces, const Opening& opening, std::string_view line_break) {
    static constexpr std::array<std::string_view, 6> kMarkers{
        "<tool_call>", "</tool_call>", "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>"};
    pieces.special("[gMASK]").special("<sop>");
    if (!opening.tools.empty())
      pieces.special("<|system|>").text("\n").marked_text(opening.tools, kMarkers);
    if (!opening.system.empty()) pieces.special("<|system|>").text(line_break).text(opening.system);
  }

  static void results_with(Pieces& pieces, std::span<const std::string> bodies,
                           std::string_view line_break) {
    pieces.special("<|observation|>");
    for (const std::string& body : bodies) write_tagged_result(pieces.text(line_break), body);
  }
};

}  // namespace detail

/// GLM-4 (9B Chat) and GLM-4 0414, whose turns end with the token that opens the next message:
/// `[gMASK]<sop><|user|>\nTEXT<|assistant|>\nTEXT<|user|>`.
///
/// Ours describes tools at the end of the system message and writes each result as a message of
/// <|observation|>, both in the words of the call format; the calls that these models were trained
/// on (a tool's name, a line break, JSON, told from an answer by <|observation|> alone) are not
/// written. A model that ends a turn with the other opener than is due goes on in the message it
/// has opened. Source: the chat templates of glm-4-9b-chat and GLM-4-32B-0414. Example:
/// Glm4{false}, the template of glm-4-9b-chat.
struct Glm4 : detail::GlmTurns {
  /// Whether the line break behind <|assistant|> is given; in glm-4-9b-chat the model says it.
  bool header_ends_line;

  explicit constexpr Glm4(bool ends_line = true) : header_ends_line(ends_line) {}

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
  void said(Pieces& pieces, std::string_view, std::string_view text) const {
    pieces.text(header_ends_line ? "" : "\n").text(text);
  }
};
static_assert(ChatTemplate<Glm4>);

/// GLM-4.5 and 4.6, thinking or not: `<|user|>\nTEXT<|assistant|>\n<think>THOUGHTS</think>\nTEXT`.
/// Pair it with Glm45Calls.
///
/// With `Thinking::off` each message of the user ends with /nothink, and the header of a turn holds
/// an empty thought. The model's own template drops the thoughts of turns before the last user
/// message; ours keeps what was sampled. Tools and the system's text are two messages.
/// Source: the chat templates of GLM-4.5 and GLM-4.6. Example: Glm45{Thinking::off}
struct Glm45 : detail::GlmThoughts {
  Thinking thinking;

  explicit constexpr Glm45(Thinking thoughts = Thinking::on) : thinking(thoughts) {}
  static constexpr bool begins_thinking() { return false; }

  void open(Pieces& pieces, const Opening& opening) const {
    open_with(pieces, opening, "\n");
    user(pieces, opening.user);
  }

  /// A text that ends with /nothink gets no second one.
  void user(Pieces& pieces, std::string_view text) const {
    begin_user(pieces);
    if (thinking == Thinking::off && text.ends_with(kNoThoughts))
      text.remove_suffix(kNoThoughts.size());
    pieces.text(text);
    end_user(pieces);
  }
  void begin_user(Pieces& pieces) const { pieces.special("<|user|>").text("\n"); }
  void end_user(Pieces& pieces) const {
    if (thinking == Thinking::off) pieces.marker(kNoThoughts);
  }

  void results(Pieces& pieces, std::span<const std::string> bodies) const {
    results_with(pieces, bodies, "\n");
  }

  void assistant(Pieces& pieces) const {
    pieces.special("<|assistant|>");
    if (thinking == Thinking::off) thought(pieces, {});
  }
  void said(Pieces& pieces, std::string_view thoughts, std::string_view text) const {
    if (thinking == Thinking::on) thought(pieces, thoughts);
    pieces.text("\n").text(trimmed(text));
  }

 private:
  static constexpr std::string_view kNoThoughts = "/nothink";

  static void thought(Pieces& pieces, std::string_view text) {
    pieces.text("\n").marker(thinking_open).text(trimmed(text)).marker(thinking_close);
  }
};
static_assert(ChatTemplate<Glm45>);

/// GLM-4.7 and 5, thinking or not, without line breaks:
/// `<|user|>TEXT<|assistant|><think>THOUGHTS</think>TEXT`. Pair it with Glm47Calls.
///
/// The header of a turn opens its thought, or with `Thinking::off` closes it at once. The model's
/// own template keeps the thoughts of turns before the last user message with
/// clear_thinking=false, as ours does, and drops them by default.
/// Source: the chat templates of GLM-4.7-Flash and GLM-5.
struct Glm47 : detail::GlmThoughts {
  Thinking thinking;

  explicit constexpr Glm47(Thinking thoughts = Thinking::on) : thinking(thoughts) {}
  bool begins_thinking() const { return thinking == Thinking::on; }

  void open(Pieces& pieces, const Opening& opening) const {
    open_with(pieces, opening, "");
    user(pieces, opening.user);
  }

  void user(Pieces& pieces, std::string_view text) const { pieces.special("<|user|>").text(text); }
  void begin_user(Pieces& pieces) const { user(pieces, {}); }
  void end_user(Pieces&) const {}

  void results(Pieces& pieces, std::span<const std::string> bodies) const {
    results_with(pieces, bodies, "");
  }

  void assistant(Pieces& pieces) const {
    pieces.special("<|assistant|>").marker(begins_thinking() ? thinking_open : thinking_close);
  }
  void said(Pieces& pieces, std::string_view thoughts, std::string_view text) const {
    if (!thoughts.empty()) pieces.text(trimmed(thoughts)).marker(thinking_close);
    pieces.text(trimmed(text));
  }
};
static_assert(ChatTemplate<Glm47>);

}  // namespace dualagent
