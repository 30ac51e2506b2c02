#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

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

  std::string render_calls(std::span<const ToolCall> calls) const {
    return render_lines(calls, [](const ToolCall& call) {
      return "<tool_call>\n" + write_json_call(call, "arguments", "HermesCalls") + "\n</tool_call>";
    });
  }

  std::string render_result(const ToolCall&, std::string_view text) const {
    return "<tool_response>\n" + std::string(text) + "\n</tool_response>";
  }

  /// The words of Qwen's chat templates.
  std::string describe_tools(std::span<const ToolSpec> tools) const {
    if (tools.empty()) return {};
    std::string text =
        "# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou are "
        "provided with function signatures within <tools></tools> XML tags:\n<tools>";
    for (const ToolSpec& tool : tools) text += "\n" + tool_spec_json(tool);
    return text +
           "\n</tools>\n\nFor each function call, return a json object with function name and "
           "arguments within <tool_call></tool_call> XML tags:\n<tool_call>\n{\"name\": "
           "<function-name>, \"arguments\": <args-json-object>}\n</tool_call>";
  }

 private:
  static CallStep next_call(std::string_view said, std::size_t at) {
    const auto [open, close] = brackets[0];
    const std::size_t begin = said.find(open, at);
    if (begin == std::string_view::npos) return {};
    CallStep step{.kind = CallStep::Kind::broken, .begin = begin};
    JsonCall read = read_json_call(said, skip_json_space(said, begin + open.size()), "arguments");
    if (!read.fault.empty()) return step.fault = std::move(read.fault), step;
    const std::size_t tag = skip_json_space(said, read.end);
    if (said.substr(tag, close.size()) != close)
      return step.fault = "</tool_call> is expected" + place_in(said, tag), step;
    step.kind = CallStep::Kind::closed;
    step.end = tag + close.size();
    step.call = std::move(read.call);
    return step;
  }

  static Turn read_answer(std::string_view said) {
    const std::size_t stray = said.find(brackets[0].close);
    if (stray != std::string_view::npos)
      return MalformedTurn{"</tool_call> closes no <tool_call>" + place_in(said, stray)};
    const std::size_t bare = find_call_in_text(said);
    if (bare != std::string_view::npos)
      return MalformedTurn{"a call stands outside <tool_call> and </tool_call>" +
                           place_in(said, bare)};
    return answer_of_plain_text(said);
  }
};
static_assert(CallFormat<HermesCalls>);

}  // namespace dualagent
