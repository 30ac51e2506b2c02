#pragma once

/// Definitions of hermes_calls.hpp; see core/compiled.hpp.

#include "dualagent/text/hermes_calls.hpp"

namespace dualagent {

DUALAGENT_INLINE std::string HermesCalls::render_calls(std::span<const ToolCall> calls) const {
  return render_lines(calls, [](const ToolCall& call) {
    return "<tool_call>\n" + write_json_call(call, "arguments", "HermesCalls") + "\n</tool_call>";
  });
}

DUALAGENT_INLINE std::string HermesCalls::describe_tools(std::span<const ToolSpec> tools) const {
  if (tools.empty()) return {};
  return tool_signatures(tools) +
         "\n\nFor each function call, return a json object with function name and "
         "arguments within <tool_call></tool_call> XML tags:\n<tool_call>\n{\"name\": "
         "<function-name>, \"arguments\": <args-json-object>}\n</tool_call>";
}

DUALAGENT_INLINE CallStep HermesCalls::next_call(std::string_view said, std::size_t at) {
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

DUALAGENT_INLINE Turn HermesCalls::read_answer(std::string_view said) {
  const std::size_t stray = said.find(brackets[0].close);
  if (stray != std::string_view::npos)
    return MalformedTurn{"</tool_call> closes no <tool_call>" + place_in(said, stray)};
  const std::size_t bare = find_call_in_text(said);
  if (bare != std::string_view::npos)
    return MalformedTurn{"a call stands outside <tool_call> and </tool_call>" +
                         place_in(said, bare)};
  return answer_of_plain_text(said);
}

}  // namespace dualagent
