#pragma once

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
#include "dualagent/text/call_format.hpp"
#include "dualagent/text/json_call.hpp"
#include "dualagent/text/unquoted_values.hpp"

namespace dualagent {

/// The calls of Qwen3-Coder, Qwen 3.5 and 3.6: any text, then one or more of
///
///   <tool_call>
///   <function=add>
///   <parameter=x>
///   1
///   </parameter>
///   </function>
///   </tool_call>
///
/// A value has no quotes; UnquotedValues reads it. One newline at each end belongs to the format. A
/// parameter ends at its </parameter>; a <parameter= before that is a fault, not part of the value.
/// A turn without a call is the answer, unless tags of a call stand in it.
/// Source: the chat templates of Qwen3-Coder and Qwen3.6.
/// Example: QwenCoderCalls::of(box.specs()).
struct QwenCoderCalls {
  UnquotedValues values = {};

  static constexpr std::array brackets{CallBrackets{"<tool_call>", "</tool_call>"}};
  static constexpr std::array<std::string_view, 4> markers{"<tool_call>", "</tool_call>",
                                                           "<tool_response>", "</tool_response>"};
  static constexpr ResultPlace result_place = ResultPlace::own_message;
  static constexpr std::string_view before_calls = "\n\n";

  /// Errors: Error if a tool's schema is not a JSON object.
  static QwenCoderCalls of(std::span<const ToolSpec> tools) { return {UnquotedValues::of(tools)}; }

  Turn parse(std::string_view said) const {
    return read_calls(said, std::bind_front(&QwenCoderCalls::next_call, this), read_answer);
  }

  std::optional<std::size_t> call_end(std::string_view said) const {
    return end_of_first_call(said, std::bind_front(&QwenCoderCalls::next_call, this));
  }

  std::string render_calls(std::span<const ToolCall> calls) const {
    return render_lines(calls, [this](const ToolCall& call) { return render_call(call); });
  }

  std::string render_result(const ToolCall&, std::string_view text) const {
    return "<tool_response>\n" + std::string(text) + "\n</tool_response>";
  }

  /// The words of Qwen3.6's chat template.
  std::string describe_tools(std::span<const ToolSpec> tools) const;

 private:
  static constexpr std::string_view kFunction = "<function=", kFunctionEnd = "</function>";
  static constexpr std::string_view kParameter = "<parameter=", kParameterEnd = "</parameter>";
  static constexpr std::array kValueTags{kParameter, kParameterEnd};  ///< not inside a value

  static constexpr const char* kUnopened = "the <tool_call> of a call is missing";

  static bool is_name(std::string_view name) {
    return !name.empty() && name.find_first_of("<>\n") == std::string_view::npos;
  }

  /// Reads `TAGname>` at `at` and moves past it; nothing if it is not there.
  static std::optional<std::string_view> read_tag(std::string_view said, std::size_t& at,
                                                  std::string_view tag);

  static std::string_view without_newlines(std::string_view value);

  CallStep next_call(std::string_view said, std::size_t from) const;

  /// Reads the parameters from `at` on into the call's arguments; returns what is wrong at `at`.
  std::string read_parameters(std::string_view said, std::size_t& at, ToolCall& call) const;

  std::string render_call(const ToolCall& call) const;

  static Turn read_answer(std::string_view said);
};
static_assert(CallFormat<QwenCoderCalls>);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/text/qwen_coder_calls.inl"
#endif
