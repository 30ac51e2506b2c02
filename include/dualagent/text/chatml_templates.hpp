#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/trim.hpp"
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
    write_results(pieces, bodies, [](std::string_view text) { return text; });
  }

  void assistant(Pieces& pieces) const { begin(pieces, "assistant"); }
  void after_turn(Pieces& pieces) const { pieces.text("\n"); }

 protected:
  static void begin(Pieces& pieces, std::string_view role) {
    pieces.special("<|im_start|>").text(role).text("\n");
  }
  static void end(Pieces& pieces) { pieces.special(end_of_turn).text("\n"); }
  static void message(Pieces& pieces, std::string_view role, std::string_view text) {
    begin(pieces, role);
    pieces.text(text);
    end(pieces);
  }

  /// `between(text)` is what is written between the tags of a result whose text is `text`.
  template <class Between>
  static void write_results(Pieces& pieces, std::span<const std::string> bodies,
                            const Between& between) {
    begin(pieces, "user");
    for (std::size_t i = 0; i < bodies.size(); ++i) {
      if (i != 0) pieces.text("\n");
      write_tagged_result(pieces, bodies[i], between);
    }
    end(pieces);
  }

  /// System message with the tools at its end, then the first user message.
  static void open_with(Pieces& pieces, std::string_view system, const Opening& opening);
};

/// Those of them that write no thoughts.
struct ChatMlWithoutThoughts : ChatMlMessages {
  static constexpr std::string_view thinking_open = {}, thinking_close = {}, append_only = {};
  static constexpr bool begins_thinking() { return false; }
};

/// What Qwen 3 and later share: thoughts, and how a turn begins without them.
struct QwenThoughts : ChatMlMessages {
  static constexpr std::string_view thinking_open = "<think>", thinking_close = "</think>";
  static constexpr std::string_view append_only =
      "thoughts of earlier turns stay where they were sampled";

 protected:
  static void empty_thought(Pieces& pieces) {
    pieces.marker(thinking_open).text("\n\n").marker(thinking_close).text("\n\n");
  }
  static void rest_of_thought(Pieces& pieces, std::string_view thoughts) {
    pieces.text(thoughts).text("\n").marker(thinking_close).text("\n\n");
  }
};

}  // namespace detail

/// ChatML without a system message of its own and without thoughts.
///
/// Tools stand at the end of the system message, results in a user message. Needs the special
/// tokens <|im_start|> and <|im_end|>. Equal to Qwen3-2507-Instruct's template with HermesCalls.
struct ChatMl : detail::ChatMlWithoutThoughts {
  void open(Pieces& pieces, const Opening& opening) const {
    open_with(pieces, opening.system, opening);
  }
};
static_assert(ChatTemplate<ChatMl>);

/// Qwen 2 and 2.5, Instruct, Coder and Math. Source: their tokenizer_config.json; equal to them
/// byte for byte with HermesCalls, see tests/golden/chat_templates.
/// Example: Qwen25{"You are a helpful assistant."}, the system message of Qwen 2.
struct Qwen25 : detail::ChatMlWithoutThoughts {
  std::string default_system;

  explicit Qwen25(
      std::string system = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.")
      : default_system(std::move(system)) {}
  void open(Pieces& pieces, const Opening& opening) const {
    open_with(pieces, opening.system.empty() ? default_system : opening.system, opening);
  }
};
static_assert(ChatTemplate<Qwen25>);

/// SmolLM2 Instruct. Its own template knows no tools; ours describes them in the system message.
/// Source: the metadata of SmolLM2-135M-Instruct.
struct SmolLm2 : detail::ChatMlWithoutThoughts {
  std::string default_system;

  explicit SmolLm2(
      std::string system = "You are a helpful AI assistant named SmolLM, trained by Hugging Face")
      : default_system(std::move(system)) {}
  void open(Pieces& pieces, const Opening& opening) const {
    open_with(pieces, opening.system.empty() ? default_system : opening.system, opening);
  }
};
static_assert(ChatTemplate<SmolLm2>);

/// Qwen 3, thinking or not. Example: Qwen3{Thinking::off}
///
/// The model's own template drops the thoughts of turns before the last user message, and the empty
/// thought of `Thinking::off` from every turn but the last: it writes old turns anew. Ours keeps
/// what was sampled after, as TRL's training variant of that template does; while the only user
/// message is the first and thinking is on, both give the same bytes.
/// Source: the chat template of Qwen3-0.6B.
struct Qwen3 : detail::QwenThoughts {
  Thinking thinking;

  explicit constexpr Qwen3(Thinking thoughts = Thinking::on) : thinking(thoughts) {}
  static constexpr bool begins_thinking() { return false; }
  void open(Pieces& pieces, const Opening& opening) const {
    open_with(pieces, opening.system, opening);
  }
  void assistant(Pieces& pieces) const {
    begin(pieces, "assistant");
    if (thinking == Thinking::off) empty_thought(pieces);
  }
  void said(Pieces& pieces, std::string_view thoughts, std::string_view text) const;
};
static_assert(ChatTemplate<Qwen3>);

/// Qwen3-Coder, which does not think. Pair it with Qwen3CoderCalls.
///
/// Without a system message it has one of its own where there are tools.
/// Source: the chat template of Qwen3-Coder-30B-A3B-Instruct.
struct Qwen3Coder : detail::ChatMlWithoutThoughts {
  void open(Pieces& pieces, const Opening& opening) const;
  void results(Pieces& pieces, std::span<const std::string> bodies) const;
};
static_assert(ChatTemplate<Qwen3Coder>);

/// QwQ, which always thinks: a turn begins inside its thought.
///
/// The model's own template drops the thoughts of turns before the last; ours keeps what was
/// sampled. Source: the chat template of QwQ-32B.
struct QwQ : detail::QwenThoughts {
  static constexpr bool begins_thinking() { return true; }
  void open(Pieces& pieces, const Opening& opening) const;
  void assistant(Pieces& pieces) const {
    begin(pieces, "assistant");
    pieces.marker(thinking_open).text("\n");
  }
  void said(Pieces& pieces, std::string_view thoughts, std::string_view text) const {
    if (!thoughts.empty()) rest_of_thought(pieces, trimmed_of(thoughts, "\n"));
    pieces.text(text);
  }
};
static_assert(ChatTemplate<QwQ>);

/// Qwen 3.5 and 3.6, thinking or not: tools stand before the system's text, texts are trimmed, and
/// a turn that thinks begins inside its thought. Pair it with QwenCoderCalls.
///
/// Thoughts of earlier turns stay, as with Qwen3.
/// Source: the chat templates of Qwen3.5 and Qwen3.6.
struct Qwen35 : detail::QwenThoughts {
  Thinking thinking;

  explicit constexpr Qwen35(Thinking thoughts = Thinking::on) : thinking(thoughts) {}
  bool begins_thinking() const { return thinking == Thinking::on; }
  void open(Pieces& pieces, const Opening& opening) const;
  void user(Pieces& pieces, std::string_view text) const { message(pieces, "user", trimmed(text)); }
  void results(Pieces& pieces, std::span<const std::string> bodies) const {
    write_results(pieces, bodies,
                  [](std::string_view text) { return "\n" + std::string(trimmed(text)) + "\n"; });
  }
  void assistant(Pieces& pieces) const;
  void said(Pieces& pieces, std::string_view thoughts, std::string_view text) const {
    if (!thoughts.empty()) rest_of_thought(pieces, trimmed(thoughts));
    pieces.text(trimmed(text));
  }
};
static_assert(ChatTemplate<Qwen35>);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/text/chatml_templates.inl"
#endif
