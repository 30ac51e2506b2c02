#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/trim.hpp"
#include "dualagent/text/call_format.hpp"
#include "dualagent/text/json_call.hpp"
#include "dualagent/text/unquoted_values.hpp"

namespace dualagent {

namespace detail {

/// What GlmCalls with and without line breaks share.
struct GlmCallText {
  UnquotedValues values = {};

  static constexpr std::array brackets{CallBrackets{"<tool_call>", "</tool_call>"}};
  static constexpr std::array<std::string_view, 8> markers{
      "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>",
      "<arg_key>",   "</arg_key>",   "<arg_value>",     "</arg_value>"};
  static constexpr ResultPlace result_place = ResultPlace::own_message;

  Turn parse(std::string_view said) const {
    return read_calls(said, std::bind_front(&GlmCallText::next_call, this), read_answer);
  }

  std::optional<std::size_t> call_end(std::string_view said) const {
    return end_of_first_call(said, std::bind_front(&GlmCallText::next_call, this));
  }

 protected:
  std::string render(std::span<const ToolCall> calls, const std::string& line_break) const;
  static std::string describe(std::span<const ToolSpec> tools, const std::string& line_break);

 private:
  static constexpr std::string_view kKey = "<arg_key>", kKeyEnd = "</arg_key>";
  static constexpr std::string_view kValue = "<arg_value>", kValueEnd = "</arg_value>";
  static constexpr std::array kValueTags{kKey, kValue, kValueEnd};  ///< not inside a value

  static bool is_name(std::string_view name) {
    return !name.empty() && name.find_first_of("<>\n") == std::string_view::npos && is_utf8(name);
  }
  /// What begins with '{' is a call in JSON, as other models write it.
  static bool is_tool_name(std::string_view name) {
    return is_name(name) && name.front() != '{' && trimmed(name) == name;
  }

  /// Where a tag of a call, but for its first, stands in a text that should hold none, or npos.
  static std::size_t find_tag(std::string_view text);

  /// Reads `OPEN...CLOSE` at `at` and moves past it; nothing if it is not there, or if an argument
  /// begins inside.
  static std::optional<std::string_view> read_between(std::string_view said, std::size_t& at,
                                                      std::string_view open,
                                                      std::string_view close);

  CallStep next_call(std::string_view said, std::size_t from) const;

  /// Reads the call that opens at `at` and moves past it; returns what is wrong at `at`.
  std::string read_call(std::string_view said, std::size_t& at, ToolCall& call) const;

  /// Reads the arguments at `at` and moves past the end of the call; returns what is wrong at `at`.
  std::string read_arguments(std::string_view said, std::size_t& at, ToolCall& call) const;

  std::string render_call(const ToolCall& call, const std::string& line_break) const;

  static Turn read_answer(std::string_view said);
};

}  // namespace detail

/// The calls of GLM-4.5 and later: any text, then one or more of
///
///   <tool_call>add
///   <arg_key>x</arg_key>
///   <arg_value>1</arg_value>
///   </tool_call>
///
/// GLM-4.5 and 4.6 write the line breaks, GLM-4.7 and 5 do not; both kinds are read. A value has no
/// quotes; UnquotedValues reads it, white space of a text included. It ends at its </arg_value>; an
/// <arg_key> or <arg_value> before that is a fault, not part of the value. A turn without a call is
/// the answer, unless tags of a call stand in it.
/// Source: the chat templates of GLM-4.5, GLM-4.6 and GLM-4.7-Flash.
/// Example: Glm45Calls::of(box.specs()).
template <bool kLineBreaks>
struct GlmCalls : detail::GlmCallText {
  static constexpr std::string_view before_calls = kLineBreaks ? "\n" : "";

  /// Errors: Error if a tool's schema is not a JSON object.
  static GlmCalls of(std::span<const ToolSpec> tools) { return {{UnquotedValues::of(tools)}}; }

  std::string render_calls(std::span<const ToolCall> calls) const {
    return render(calls, std::string(before_calls));
  }

  std::string render_result(const ToolCall&, std::string_view text) const {
    const std::string line_break(before_calls);
    return "<tool_response>" + line_break + std::string(text) + line_break + "</tool_response>";
  }

  /// The words of the models' own templates.
  std::string describe_tools(std::span<const ToolSpec> tools) const {
    return describe(tools, std::string(before_calls));
  }
};

using Glm45Calls = GlmCalls<true>;   ///< of GLM-4.5 and 4.6
using Glm47Calls = GlmCalls<false>;  ///< of GLM-4.7 and 5

static_assert(CallFormat<Glm45Calls> && CallFormat<Glm47Calls>);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/text/glm_calls.inl"
#endif
