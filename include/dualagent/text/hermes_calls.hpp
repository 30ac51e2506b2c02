#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "dualagent/core/compiled.hpp"
#include "dualagent/text/call_format.hpp"
#include "dualagent/text/json_call.hpp"

namespace dualagent {

/// The calls of Hermes, Qwen 2.5 and Qwen 3: any text, then one or more of
///
///   <tool_call>
///   {"name": "add", "arguments": {"x": 1}}
///   </tool_call>
///
/// A turn without a call is the answer, unless the tags or the object of a call stand in it. A tag
/// inside a JSON string is part of the string.
/// Source: the chat templates of Qwen2.5-7B-Instruct and Qwen3.
struct HermesCalls {
  static constexpr std::array brackets{CallBrackets{"<tool_call>", "</tool_call>"}};
  static constexpr std::array<std::string_view, 4> markers{"<tool_call>", "</tool_call>",
                                                           "<tool_response>", "</tool_response>"};
  static constexpr ResultPlace result_place = ResultPlace::own_message;

  Turn parse(std::string_view said) const { return read_calls(said, next_call, read_answer); }

  std::optional<std::size_t> call_end(std::string_view said) const {
    return end_of_first_call(said, next_call);
  }

  std::string render_calls(std::span<const ToolCall> calls) const;

  std::string render_result(const ToolCall&, std::string_view text) const {
    return "<tool_response>\n" + std::string(text) + "\n</tool_response>";
  }

  /// The words of Qwen's chat templates.
  std::string describe_tools(std::span<const ToolSpec> tools) const;

 private:
  static CallStep next_call(std::string_view said, std::size_t at);

  static Turn read_answer(std::string_view said);
};
static_assert(CallFormat<HermesCalls>);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/text/hermes_calls.inl"
#endif
