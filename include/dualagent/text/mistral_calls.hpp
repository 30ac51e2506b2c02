#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/core/sha256.hpp"
#include "dualagent/core/trim.hpp"
#include "dualagent/text/call_format.hpp"
#include "dualagent/text/json_call.hpp"

namespace dualagent {

namespace detail {

inline constexpr std::size_t kMistralIdSize = 9;

/// Whether Mistral's templates take it for the id of a call: 9 letters and digits of ASCII.
bool is_mistral_id(std::string_view id);

/// The id with which a call is written: its own, or one that is made from what it says and from its
/// place in the turn, so that the same turn is always written alike.
/// Errors: Error for an id that the templates refuse.
std::string mistral_id(const ToolCall& call, std::size_t place, std::string_view format);

/// `[TOOL_CALLS]NAME[CALL_ID]ID[ARGS]{...}`, with ids or without.
struct MistralCallText {
  static constexpr std::array brackets{CallBrackets{"[TOOL_CALLS]", "}"}};
  static constexpr std::array<std::string_view, 3> markers{"[TOOL_CALLS]", "[CALL_ID]", "[ARGS]"};
  static constexpr ResultPlace result_place = ResultPlace::own_message;
  static constexpr std::string_view before_calls = "";

  /// The tools in JSON, as Python's json.dumps writes a list of them.
  std::string describe_tools(std::span<const ToolSpec> tools) const;

 protected:
  static CallStep next_call(std::string_view said, std::size_t from, bool ids);
  static std::string render(std::span<const ToolCall> calls, bool ids);
  static Turn read_answer(std::string_view said);

 private:
  static constexpr std::string_view kId = "[CALL_ID]", kArguments = "[ARGS]";

  static bool is_tool_name(std::string_view name);
  /// Where a tag of a call, but for its first, stands in a text that should hold none, or npos.
  static std::size_t find_tag(std::string_view text);
  /// Reads the call whose name begins at `at` and moves past it; returns what is wrong at `at`.
  static std::string read_call(std::string_view said, std::size_t& at, bool ids, ToolCall& call);
};

}  // namespace detail

/// The calls of Mistral Nemo: any text, then one list of them,
///
///   [TOOL_CALLS][{"name": "add", "arguments": {"x": 1}, "id": "9Ae3bDc2F"}]
///
/// The model says the id, 9 letters and digits; its result is given back under it. A call that is
/// written without an id gets one that follows from what it says. A turn without [TOOL_CALLS] is
/// the answer, unless the object of a call stands in it.
/// Source: the chat template of Mistral-Nemo-Instruct-2407.
struct MistralNemoCalls {
  static constexpr std::array brackets{CallBrackets{"[TOOL_CALLS]", "]"}};
  static constexpr std::array<std::string_view, 1> markers{"[TOOL_CALLS]"};
  static constexpr ResultPlace result_place = ResultPlace::own_message;
  static constexpr std::string_view before_calls = "";

  Turn parse(std::string_view said) const;

  std::optional<std::size_t> call_end(std::string_view said) const;

  /// Errors: Error for a call with an id of another kind.
  std::string render_calls(std::span<const ToolCall> calls) const;

  /// The result as it stands, not as a JSON string: so writes the model's own template.
  std::string render_result(const ToolCall& call, std::string_view text) const {
    return "{\"content\": " + std::string(text) + ", \"call_id\": \"" + call.id + "\"}";
  }

  /// The tools in JSON, but names and descriptions as they stand, as the model's own template does.
  std::string describe_tools(std::span<const ToolSpec> tools) const;

 private:
  struct List {
    std::vector<ToolCall> calls = {};
    std::size_t end = 0;
    std::string fault = {};
  };

  /// Reads the list that begins at `at`.
  static List read_list(std::string_view said, std::size_t at);

  static Turn read_answer(std::string_view said);
};
static_assert(CallFormat<MistralNemoCalls>);

/// The calls of Mistral Small 3.2 and Ministral 3: any text, then one or more of
///
///   [TOOL_CALLS]add[CALL_ID]9Ae3bDc2F[ARGS]{"x": 1}
///
/// of which Ministral 3 has no `[CALL_ID]9Ae3bDc2F`. The model says the id, 9 letters and digits;
/// its result is given back under it. A call that is written without an id gets one that follows
/// from what it says. A turn without a call is the answer, unless tags of a call stand in it.
/// Source: the chat templates of Mistral-Small-3.2-24B-Instruct-2506 and
/// Ministral-3-14B-Reasoning-2512.
template <bool kIds>
struct MistralCalls : detail::MistralCallText {
  Turn parse(std::string_view said) const { return read_calls(said, next, read_answer); }

  std::optional<std::size_t> call_end(std::string_view said) const {
    return end_of_first_call(said, next);
  }

  /// Errors: Error for a tool's name that ends where a tag begins, and for an id of another kind.
  std::string render_calls(std::span<const ToolCall> calls) const { return render(calls, kIds); }

  std::string render_result(const ToolCall& call, std::string_view text) const {
    return (kIds ? call.id + "[TOOL_CONTENT]" : std::string()) + std::string(text);
  }

 private:
  static CallStep next(std::string_view said, std::size_t at) { return next_call(said, at, kIds); }
};

using MistralSmall32Calls = MistralCalls<true>;  ///< of Mistral Small 3.2
using Ministral3Calls = MistralCalls<false>;     ///< of Ministral 3

static_assert(CallFormat<MistralSmall32Calls> && CallFormat<Ministral3Calls>);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/text/mistral_calls.inl"
#endif
