#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "dualagent/core/error.hpp"
#include "dualagent/text/pieces.hpp"

namespace dualagent {

/// What opens a conversation.
struct Opening {
  std::string_view system = {};  ///< empty: the template's own system message, if it has one
  std::string_view tools = {};   ///< the call format's description of the tools; empty: no tools
  std::string_view user = {};    ///< the first message of the user
};

/// Whether a model thinks before it speaks, where its template has the choice.
enum class Thinking : std::uint8_t { on, off };

/// How the messages of a conversation are put together; append-only: nothing that was written is
/// ever written in another way, so a context only grows.
///
/// Syntactic requirements on a template t:
/// 1. `t.open(pieces, opening)` writes the start of the text, the system message, the tools and the
///    first user message.
/// 2. `t.user(pieces, text)` writes a later user message; `t.begin_user(pieces)` and
///    `t.end_user(pieces)` write what stands around its text.
/// 3. `t.results(pieces, bodies)` writes the results of a turn's calls, as the format rendered
/// them.
/// 4. `t.assistant(pieces)` writes what stands before a turn of the model.
/// 5. `t.end_of_turn` names the special token with which a turn ends; `t.other_ends` lists names of
///    tokens that end it as well where the tokenizer has them. Empty: a turn ends with the special
///    token that opens the next message, as `t.user` and `t.results` write it first; both are among
///    `t.other_ends`. See TurnEnds.
/// 6. `t.after_turn(pieces)` writes what stands after the end-of-turn token and is never sampled.
/// 7. `t.thinking_open` and `t.thinking_close` name the tags of thoughts, in which no call is read;
///    empty: there are none.
/// 8. `t.begins_thinking()` tells whether `t.assistant` leaves a thought open, so that a turn
///    begins inside it.
/// 9. `t.append_only` says in words where the model's own template would write something else than
///    these rules; empty: nowhere.
/// Optional: `t.said(pieces, thoughts, text)` writes a turn of the model up to its calls, as the
/// model's own template does; `thoughts` is empty where `thinking_open` is. Without it the text is
/// written as it is.
template <class T>
concept ChatTemplate = requires(const T& t, Pieces& pieces, std::string_view text,
                                const Opening& opening, std::span<const std::string> bodies) {
  t.open(pieces, opening);
  t.user(pieces, text);
  t.begin_user(pieces);
  t.end_user(pieces);
  t.results(pieces, bodies);
  t.assistant(pieces);
  t.after_turn(pieces);
  { t.end_of_turn } -> std::convertible_to<std::string_view>;
  std::span<const std::string_view>(t.other_ends);
  { t.thinking_open } -> std::convertible_to<std::string_view>;
  { t.thinking_close } -> std::convertible_to<std::string_view>;
  { t.begins_thinking() } -> std::same_as<bool>;
  { t.append_only } -> std::convertible_to<std::string_view>;
};

/// Whether a template has a way of its own to write what a model said.
template <class T>
concept WritesWhatWasSaid = requires(const T& t, Pieces& pieces, std::string_view text) {
  t.said(pieces, text, text);
};

/// Writes what a model said up to its calls: by the template's `said`, or the text as it is.
/// Errors: Error for thoughts where the template has no `said`.
template <class T>
void write_text_of_turn(const T& chat, Pieces& pieces, std::string_view thoughts,
                        std::string_view text) {
  if constexpr (WritesWhatWasSaid<T>) {
    chat.said(pieces, thoughts, text);
  } else {
    if (!thoughts.empty())
      throw Error("thoughts are given, but the template does not say how they are written",
                  "ChatDialect", "Give the template the member said(pieces, thoughts, text)");
    pieces.text(text);
  }
}

namespace detail {

/// Writes a result inside <tool_response>, as `between(text)` writes its text. The tags are tokens
/// of their own in Qwen 3 and GLM-4.5; what is between them is text.
template <class Between>
void write_tagged_result(Pieces& pieces, std::string_view body, const Between& between) {
  constexpr std::string_view kOpen = "<tool_response>", kClose = "</tool_response>";
  if (!body.starts_with(kOpen) || !body.ends_with(kClose)) return void(pieces.text(body));
  body.remove_prefix(kOpen.size());
  body.remove_suffix(kClose.size());
  pieces.marker(kOpen).text(between(body)).marker(kClose);
}

inline void write_tagged_result(Pieces& pieces, std::string_view body) {
  write_tagged_result(pieces, body, [](std::string_view text) { return text; });
}

}  // namespace detail

/// One readable sentence if T is not a ChatTemplate.
template <class T>
consteval bool check_chat_template() {
  static_assert(ChatTemplate<T>,
                "dualagent: a ChatTemplate needs open, user, begin_user, end_user, results, "
                "assistant, after_turn, end_of_turn, other_ends, thinking_open, thinking_close, "
                "begins_thinking and append_only; see "
                "docs/dialects.md#chat-templates");
  return true;
}

}  // namespace dualagent
