#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "dualagent/text/chat_template.hpp"

namespace dualagent {

namespace detail {

/// What the templates of the ChatML family share: `<|im_start|>ROLE\nTEXT<|im_end|>\n`.
struct ChatMlMessages {
  static constexpr std::string_view end_of_turn = "<|im_end|>";
  static constexpr std::array<std::string_view, 1> other_ends{"<|endoftext|>"};
  static constexpr std::array<std::string_view, 4> markers{"<tool_call>", "</tool_call>",
                                                           "<tool_response>", "</tool_response>"};

  void user(Pieces& pieces, std::string_view text) const { message(pieces, "user", text); }
  void begin_user(Pieces& pieces) const { begin(pieces, "user"); }
  void end_user(Pieces& pieces) const { end(pieces); }

  /// All results of a turn are one user message.
  void results(Pieces& pieces, std::span<const std::string> bodies) const {
    begin(pieces, "user");
    for (std::size_t i = 0; i < bodies.size(); ++i) {
      if (i != 0) pieces.text("\n");
      result(pieces, bodies[i]);
    }
    end(pieces);
  }

  void assistant(Pieces& pieces) const { begin(pieces, "assistant"); }
  void after_turn(Pieces& pieces) const { pieces.text("\n"); }

  static void begin(Pieces& pieces, std::string_view role) {
    pieces.special("<|im_start|>").text(role).text("\n");
  }
  static void end(Pieces& pieces) { pieces.special(end_of_turn).text("\n"); }
  static void message(Pieces& pieces, std::string_view role, std::string_view text) {
    begin(pieces, role);
    pieces.text(text);
    end(pieces);
  }

  /// The tags around a result are tokens of their own in Qwen 3; what is between them is text.
  static void result(Pieces& pieces, std::string_view body) {
    constexpr std::string_view kOpen = "<tool_response>", kClose = "</tool_response>";
    if (!body.starts_with(kOpen) || !body.ends_with(kClose)) return void(pieces.text(body));
    body.remove_prefix(kOpen.size());
    body.remove_suffix(kClose.size());
    pieces.marker(kOpen).text(body).marker(kClose);
  }

  /// System message with the tools at its end, then the first user message.
  static void open_with(Pieces& pieces, std::string_view system, const Opening& opening) {
    if (!system.empty() || !opening.tools.empty()) {
      begin(pieces, "system");
      pieces.text(system).text(system.empty() || opening.tools.empty() ? "" : "\n\n");
      pieces.marked_text(opening.tools, markers);
      end(pieces);
    }
    message(pieces, "user", opening.user);
  }
};

}  // namespace detail

/// ChatML without a system message of its own and without thoughts.
///
/// Tools stand at the end of the system message, results in a user message. Needs the special
/// tokens <|im_start|> and <|im_end|>.
struct ChatMl : detail::ChatMlMessages {
  static constexpr std::string_view thinking_open = {}, thinking_close = {}, append_only = {};
  void open(Pieces& pieces, const Opening& opening) const {
    open_with(pieces, opening.system, opening);
  }
};
static_assert(ChatTemplate<ChatMl>);

/// Qwen 2.5 Instruct. Source: its tokenizer_config.json; equal to it byte for byte with
/// HermesCalls, see tests/golden/chat_templates.
struct Qwen25 : ChatMl {
  static constexpr std::string_view default_system =
      "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.";
  void open(Pieces& pieces, const Opening& opening) const {
    open_with(pieces, opening.system.empty() ? default_system : opening.system, opening);
  }
};
static_assert(ChatTemplate<Qwen25>);

/// SmolLM2 Instruct. Its own template knows no tools; ours describes them in the system message.
/// Source: the metadata of SmolLM2-135M-Instruct.
struct SmolLm2 : ChatMl {
  static constexpr std::string_view default_system =
      "You are a helpful AI assistant named SmolLM, trained by Hugging Face";
  void open(Pieces& pieces, const Opening& opening) const {
    open_with(pieces, opening.system.empty() ? default_system : opening.system, opening);
  }
};
static_assert(ChatTemplate<SmolLm2>);

/// Qwen 3, thinking or not.
///
/// The model's own template drops the thoughts of turns before the last user message, and the empty
/// thought of `Thinking::off` from every turn but the last: it writes old turns anew. Ours keeps
/// what was sampled after, as TRL's training variant of that template does; while the only user
/// message is the first and thinking is on, both give the same bytes.
/// Source: the chat template of Qwen3-0.6B.
struct Qwen3 {  // without a base, so that Qwen3{.thinking = ...} leaves no member out
  enum class Thinking : std::uint8_t { on, off };
  Thinking thinking = Thinking::on;

  using Messages = detail::ChatMlMessages;
  static constexpr std::string_view end_of_turn = Messages::end_of_turn;
  static constexpr auto other_ends = Messages::other_ends;
  static constexpr auto markers = Messages::markers;
  static constexpr std::string_view thinking_open = "<think>", thinking_close = "</think>";
  static constexpr std::string_view append_only =
      "thoughts of earlier turns stay where they were sampled";

  void open(Pieces& pieces, const Opening& opening) const {
    Messages::open_with(pieces, opening.system, opening);
  }
  void user(Pieces& pieces, std::string_view text) const { Messages{}.user(pieces, text); }
  void begin_user(Pieces& pieces) const { Messages{}.begin_user(pieces); }
  void end_user(Pieces& pieces) const { Messages{}.end_user(pieces); }
  void results(Pieces& pieces, std::span<const std::string> bodies) const {
    Messages{}.results(pieces, bodies);
  }
  void after_turn(Pieces& pieces) const { Messages{}.after_turn(pieces); }
  void assistant(Pieces& pieces) const {
    Messages{}.assistant(pieces);
    if (thinking == Thinking::off)
      pieces.marker(thinking_open).text("\n\n").marker(thinking_close).text("\n\n");
  }
};
static_assert(ChatTemplate<Qwen3>);

}  // namespace dualagent
