#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "dualagent/core/printable.hpp"
#include "dualagent/core/trim.hpp"
#include "dualagent/text/dialect.hpp"
#include "dualagent/text/tool_spec.hpp"

namespace dualagent {

/// The texts between which a call stands.
struct CallBrackets {
  std::string_view open;
  std::string_view close;
};

/// Where the result of a call is read: in a message of its own, or inside the message of the model,
/// which then goes on.
enum class ResultPlace : std::uint8_t { own_message, same_message };

/// How calls, results and answers are written in text.
///
/// Syntactic requirements on a format f:
/// 1. `f.parse(said)` reads one whole turn and returns a `Turn`.
/// 2. `f.call_end(said)` returns one past the end of the first call that has closed in a turn that
///    may not be whole yet, or nothing.
/// 3. `f.render_calls(calls)` writes calls as a model says them.
/// 4. `f.render_result(call, text)` writes the result of one call.
/// 5. `f.describe_tools(tools)` tells a model about tools and format, for templates that do not.
/// 6. `f.brackets` lists the texts in which calls stand, as a range of CallBrackets; a call closes
///    nowhere but at a `close`.
/// 7. `f.markers` lists the special tokens, by name, that belong to what a model says.
/// 8. `f.result_place` is a ResultPlace.
/// Optional: `f.before_calls` is written between the text of a turn and its calls; "\n" where it is
/// missing.
/// Semantic requirements: all are pure; 1, 2 and 4 accept any bytes, never throw and take time
/// linear in them; 3 throws Error for calls that the format cannot write, and otherwise
/// `f.parse(f.render_calls(calls))` gives those calls in their order, arguments equal as JSON.
/// tests/laws/call_format_laws.hpp checks them.
template <class F>
concept CallFormat = requires(const F& format, std::string_view text, const ToolCall& call,
                              std::span<const ToolCall> calls, std::span<const ToolSpec> tools) {
  { format.parse(text) } -> std::same_as<Turn>;
  { format.call_end(text) } -> std::same_as<std::optional<std::size_t>>;
  { format.render_calls(calls) } -> std::same_as<std::string>;
  { format.render_result(call, text) } -> std::same_as<std::string>;
  { format.describe_tools(tools) } -> std::same_as<std::string>;
  std::span<const CallBrackets>(format.brackets);
  std::span<const std::string_view>(format.markers);
  { format.result_place } -> std::convertible_to<ResultPlace>;
};

/// One readable sentence if F is not a CallFormat.
template <class F>
consteval bool check_call_format() {
  static_assert(CallFormat<F>,
                "dualagent: a CallFormat needs parse, call_end, render_calls, render_result, "
                "describe_tools, brackets, markers and result_place; see "
                "docs/dialects.md#call-formats");
  return true;
}

/// What a format writes between the text of a turn and its calls.
template <class F>
constexpr std::string_view text_before_calls(const F& format) {
  if constexpr (requires { format.before_calls; })
    return format.before_calls;
  else
    return "\n";
}

/// What a format finds when it looks for the next call of a turn.
struct CallStep {
  enum class Kind : std::uint8_t { none, closed, broken };
  Kind kind = Kind::none;
  std::size_t begin = 0;   ///< of the call's opening text
  std::size_t end = 0;     ///< one past the closing text, of a closed call
  ToolCall call = {};      ///< of a closed call
  std::string fault = {};  ///< of a broken call: what is wrong and at which byte
};

/// " at byte N, before 'what stands there'", for people and for corrections.
inline std::string place_in(std::string_view said, std::size_t at) {
  constexpr std::size_t kShownBytes = 24;
  std::string place = " at byte " + std::to_string(at);
  if (at >= said.size()) return place + ", the end of the turn";
  return place + ", before '" + printable(said.substr(at, kShownBytes)) + "'";
}

/// Reads a turn call by call: `next_call(said, at)` returns the first CallStep at or after `at`,
/// and `answer(said)` reads a turn without calls. Calls may be parted by white space only, and
/// nothing but white space may follow the last one.
template <class NextCall, class ReadAnswer>
Turn read_calls(std::string_view said, NextCall&& next_call, ReadAnswer&& answer) {
  std::vector<ToolCall> calls;
  for (std::size_t at = 0;;) {
    CallStep step = next_call(said, at);
    if (step.kind == CallStep::Kind::none && calls.empty()) return answer(said);
    const std::size_t next = step.kind == CallStep::Kind::none ? said.size() : step.begin;
    if (!calls.empty() && !trimmed(said.substr(at, next - at)).empty())
      return MalformedTurn{"text follows call " + std::to_string(calls.size()) +
                           place_in(said, at) + "; end the turn after its calls"};
    if (step.kind == CallStep::Kind::none) return calls;
    if (step.kind == CallStep::Kind::broken)
      return MalformedTurn{"call " + std::to_string(calls.size() + 1) + ": " + step.fault};
    calls.push_back(std::move(step.call));
    at = step.end;
  }
}

/// `call_end` by way of `next_call`.
template <class NextCall>
std::optional<std::size_t> end_of_first_call(std::string_view said, NextCall&& next_call) {
  const CallStep step = next_call(said, 0);
  if (step.kind != CallStep::Kind::closed) return std::nullopt;
  return step.end;
}

/// Calls one below the other, each as `render_call(call)` writes it.
template <class RenderCall>
std::string render_lines(std::span<const ToolCall> calls, RenderCall&& render_call) {
  std::string text;
  for (const ToolCall& call : calls) text += (text.empty() ? "" : "\n") + render_call(call);
  return text;
}

/// A turn without calls is the answer, unless nothing was said.
inline Turn answer_of_plain_text(std::string_view said) {
  const std::string_view text = trimmed(said);
  if (text.empty()) return MalformedTurn{"nothing was said"};
  return Answer{std::string(text)};
}

}  // namespace dualagent
