#pragma once

#include <concepts>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "dualagent/core/types.hpp"
#include "dualagent/data/task.hpp"
#include "dualagent/text/stop_rule.hpp"
#include "dualagent/text/tokenizer.hpp"
#include "dualagent/text/tool_spec.hpp"

namespace dualagent {

/// A request of the model to run a tool.
struct ToolCall {
  std::string tool;       ///< name
  std::string arguments;  ///< a JSON object as text
  std::string id = {};    ///< the model's name of this call, in formats that have one
};

/// The model's final answer.
struct Answer {
  std::string text;
};

/// A turn that is neither calls nor an answer.
struct MalformedTurn {
  std::string reason;  ///< what is wrong, for people and for a corrective observation
};

/// What one turn of the Answerer says.
using Turn = std::variant<std::vector<ToolCall>, Answer, MalformedTurn>;

/// What is said in a turn or a summary, before it is tokens.
struct SaidTurn {
  std::string thoughts = {};  ///< without the tags around them; empty: none
  std::string text = {};
  std::vector<ToolCall> calls = {};  ///< behind the text
};

/// How tasks, turns, observations and summaries are written in tokens.
///
/// Syntactic requirements on a dialect d:
/// 1. `d.prompt(task)` returns the tokens that open every context of the task.
/// 2. `d.turn_stop()` and `d.summary_stop()` return the `StopRule` of one turn and of one summary,
///    their token limits included.
/// 3. `d.parse_turn(tokens)` reads one sampled turn and returns a `Turn`.
/// 4. `d.observation(results)` renders the results of a turn's calls, in the order of the calls.
/// 5. `d.correction(malformed)` renders what the model is told after a malformed turn, or nothing
///    if such a turn ends the episode.
/// 6. `d.summary_request()` returns the tokens that ask the Summarizer for a summary.
/// 7. `d.check_summary(tokens)` returns why a sampled summary cannot be used, or nothing.
/// 8. `d.present_summary(tokens)` renders a summary as the Answerer reads it.
///
/// Optional, each used instead of its shorter form in an episode where the dialect has it:
/// 9. `d.parse_turn(tokens, rollout)`: for a dialect that reads a turn by what was said before it.
///    `rollout` holds the turn as its last sampled span.
/// 10. `d.observation(results, turn)` and `d.correction(malformed, turn)`: `turn` holds the sampled
///    tokens that are answered, so that a dialect can close them.
/// 11. `d.turn_opening(context)` returns what is given right before each turn of the Answerer, e.g.
///    the header of its message; a request for a summary then follows the history without it.
/// 12. `d.tools()` returns the std::vector<ToolSpec> that the model is told of; a Protocol compares
/// it
///    with its tools.
///
/// Semantic requirements: all are pure; `parse_turn` accepts any tokens, however broken, and never
/// throws on them; what 4 to 6 and 8 to 11 return is only ever appended to a context.
template <class D>
concept ToolDialect = requires(const D& d, const Task& task, std::span<const Token> tokens,
                               std::span<const std::string> results,
                               const MalformedTurn& malformed) {
  { d.prompt(task) } -> std::convertible_to<std::vector<Token>>;
  { d.turn_stop() } -> std::convertible_to<StopRule>;
  { d.summary_stop() } -> std::convertible_to<StopRule>;
  { d.parse_turn(tokens) } -> std::convertible_to<Turn>;
  { d.observation(results) } -> std::convertible_to<std::vector<Token>>;
  { d.correction(malformed) } -> std::convertible_to<std::optional<std::vector<Token>>>;
  { d.summary_request() } -> std::convertible_to<std::vector<Token>>;
  { d.check_summary(tokens) } -> std::convertible_to<std::optional<std::string>>;
  { d.present_summary(tokens) } -> std::convertible_to<std::vector<Token>>;
};

/// A ToolDialect that can also write what a model is to say, so that it can be shown to it
/// (`read_demonstrations`).
///
/// Syntactic requirements on a dialect d, beside those of ToolDialect:
/// 1. `d.write_turn(said)` and `d.write_summary(said)` return the tokens of a turn and of a summary
///    as a rollout would hold them: without the header that is given, with the end-of-turn token
///    where it is sampled.
/// 2. `d.user_message(text, turn)` renders a later message of the user; `turn` holds the tokens
///    that it follows.
/// 3. `d.prompt(task, tools)` is `d.prompt(task)` with these tools in place of the dialect's own.
/// 4. `d.tokenizer()` returns its tokenizer.
/// Semantic requirements: 1 throws Error for what it cannot write. Whatever it writes is a turn
/// that `d.turn_stop()` ends with its last token, or is refused by `read_demonstrations`.
template <class D>
concept DemonstrableDialect = ToolDialect<D> &&
    requires(const D& d, const Task& task, const SaidTurn& said, std::string_view text,
             std::span<const Token> tokens, std::span<const ToolSpec> tools) {
  { d.write_turn(said) } -> std::convertible_to<std::vector<Token>>;
  { d.write_summary(said) } -> std::convertible_to<std::vector<Token>>;
  { d.user_message(text, tokens) } -> std::convertible_to<std::vector<Token>>;
  { d.prompt(task, tools) } -> std::convertible_to<std::vector<Token>>;
  d.tokenizer();
  requires Tokenizer<std::remove_cvref_t<decltype(d.tokenizer())>>;
};

}  // namespace dualagent
