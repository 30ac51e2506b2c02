#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "dualagent/text/chat_template.hpp"

namespace dualagent {

namespace detail {

/// What DeepSeek's templates share: `<｜User｜>TEXT<｜Assistant｜>TEXT<｜end▁of▁sentence｜>`, the
/// system's text bare behind the first token.
struct DeepSeekMessages {
  static constexpr std::string_view end_of_turn = "<｜end▁of▁sentence｜>";
  static constexpr std::array<std::string_view, 0> other_ends{};

  void open(Pieces& pieces, const Opening& opening) const {
    const bool both = !opening.system.empty() && !opening.tools.empty();
    pieces.special("<｜begin▁of▁sentence｜>").text(opening.system).text(both ? "\n\n" : "");
    pieces.text(opening.tools);
    user(pieces, opening.user);
  }

  void user(Pieces& pieces, std::string_view text) const { pieces.special(kUser).text(text); }
  void begin_user(Pieces& pieces) const { pieces.special(kUser); }
  void end_user(Pieces&) const {}

  /// All results of a turn are one user message.
  void results(Pieces& pieces, std::span<const std::string> bodies) const {
    pieces.special(kUser);
    for (std::size_t i = 0; i < bodies.size(); ++i) pieces.text(i == 0 ? "" : "\n").text(bodies[i]);
  }

  void after_turn(Pieces&) const {}

 protected:
  static constexpr std::string_view kUser = "<｜User｜>", kAssistant = "<｜Assistant｜>";
};

struct DeepSeekThoughts : DeepSeekMessages {
  static constexpr std::string_view thinking_open = "<think>", thinking_close = "</think>";
  static constexpr std::string_view append_only =
      "thoughts of earlier turns stay where they were sampled";
};

}  // namespace detail

/// DeepSeek V2.5 and V3.
///
/// These models' templates describe no tools. Ours describes them behind the system's text and
/// writes results as a user message, both in the words of the call format; the calls that V3 was
/// trained on, with tokens of their own, are not written.
/// Source: the chat template of DeepSeek-V3.
struct DeepSeekV3 : detail::DeepSeekMessages {
  static constexpr std::string_view thinking_open = {}, thinking_close = {}, append_only = {};
  static constexpr bool begins_thinking() { return false; }
  void assistant(Pieces& pieces) const { pieces.special(kAssistant); }
};
static_assert(ChatTemplate<DeepSeekV3>);

/// DeepSeek R1 and its distillations, which always think. Tools as with DeepSeekV3.
///
/// The model's own template drops all thoughts of earlier turns; ours keeps what was sampled.
/// Source: the chat templates of DeepSeek-R1, DeepSeek-R1-Distill-Qwen-7B and
/// DeepSeek-R1-0528-Qwen3-8B.
struct DeepSeekR1 : detail::DeepSeekThoughts {
  /// Whether the header of a turn opens its thought; in R1-0528 the model does.
  bool header_opens_thought;

  explicit constexpr DeepSeekR1(bool opens_thought = true) : header_opens_thought(opens_thought) {}
  bool begins_thinking() const { return header_opens_thought; }
  void assistant(Pieces& pieces) const {
    pieces.special(kAssistant);
    if (header_opens_thought) pieces.marker(thinking_open).text("\n");
  }
  void said(Pieces& pieces, std::string_view thoughts, std::string_view text) const {
    if (!thoughts.empty() && !header_opens_thought) pieces.marker(thinking_open).text("\n");
    if (!thoughts.empty()) pieces.text(thoughts).text("\n").marker(thinking_close).text("\n\n");
    pieces.text(text);
  }
};
static_assert(ChatTemplate<DeepSeekR1>);

/// DeepSeek V3.1, thinking or not: the header of a turn opens its thought or closes it at once.
/// Tools as with DeepSeekV3.
///
/// The model's own template writes all earlier turns as if they had not thought.
/// Source: the chat template of DeepSeek-V3.1.
struct DeepSeekV31 : detail::DeepSeekThoughts {
  Thinking thinking;

  explicit constexpr DeepSeekV31(Thinking thoughts = Thinking::on) : thinking(thoughts) {}
  bool begins_thinking() const { return thinking == Thinking::on; }
  void assistant(Pieces& pieces) const {
    pieces.special(kAssistant).marker(begins_thinking() ? thinking_open : thinking_close);
  }
  void said(Pieces& pieces, std::string_view thoughts, std::string_view text) const {
    if (!thoughts.empty()) pieces.text(thoughts).marker(thinking_close);
    pieces.text(text);
  }
};
static_assert(ChatTemplate<DeepSeekV31>);

}  // namespace dualagent
