#pragma once

/// Definitions of qwen_coder_calls.hpp; see core/compiled.hpp.

#include "dualagent/text/qwen_coder_calls.hpp"

namespace dualagent {

DUALAGENT_INLINE std::string QwenCoderCalls::describe_tools(std::span<const ToolSpec> tools) const {
  if (tools.empty()) return {};
  std::string text = "# Tools\n\nYou have access to the following functions:\n\n<tools>";
  for (const ToolSpec& tool : tools) text += "\n" + tool_spec_json(tool);
  return text +
         "\n</tools>\n\nIf you choose to call a function ONLY reply in the following format with "
         "NO suffix:\n\n<tool_call>\n<function=example_function_name>\n"
         "<parameter=example_parameter_1>\nvalue_1\n</parameter>\n"
         "<parameter=example_parameter_2>\nThis is the value for the second parameter\nthat can "
         "span\nmultiple lines\n</parameter>\n</function>\n</tool_call>\n\n<IMPORTANT>\n"
         "Reminder:\n- Function calls MUST follow the specified format: an inner "
         "<function=...></function> block must be nested within <tool_call></tool_call> XML "
         "tags\n- Required parameters MUST be specified\n- You may provide optional reasoning "
         "for your function call in natural language BEFORE the function call, but NOT after\n"
         "- If there is no function call available, answer the question like normal with your "
         "current knowledge and do not tell the user about function calls\n</IMPORTANT>";
}

DUALAGENT_INLINE std::optional<std::string_view> QwenCoderCalls::read_tag(std::string_view said,
                                                                          std::size_t& at,
                                                                          std::string_view tag) {
  if (said.substr(at, tag.size()) != tag) return std::nullopt;
  const std::size_t begin = at + tag.size(), end = said.find_first_of("<>\n", begin);
  if (end == std::string_view::npos || end == begin || said[end] != '>') return std::nullopt;
  at = end + 1;
  return said.substr(begin, end - begin);
}

DUALAGENT_INLINE std::string_view QwenCoderCalls::without_newlines(std::string_view value) {
  if (value.starts_with('\n')) value.remove_prefix(1);
  if (value.ends_with('\n')) value.remove_suffix(1);
  return value;
}

DUALAGENT_INLINE CallStep QwenCoderCalls::next_call(std::string_view said, std::size_t from) const {
  const auto [open, close] = brackets[0];
  const std::size_t begin = said.find(open, from);
  if (begin == std::string_view::npos) return {};
  CallStep step{.kind = CallStep::Kind::broken, .begin = begin};
  const std::size_t stray = said.substr(from, begin - from).find(kFunction);
  if (stray != std::string_view::npos)
    return step.fault = kUnopened + place_in(said, from + stray), step;
  std::size_t at = skip_json_space(said, begin + open.size());
  const auto fault = [&](const std::string& what) {
    return step.fault = what + place_in(said, at), step;
  };
  const auto name = read_tag(said, at, kFunction);
  if (!name) return fault("<function=NAME> is expected");
  step.call.tool = *name;
  if (const std::string wrong = read_parameters(said, at, step.call); !wrong.empty())
    return fault(wrong);
  for (const std::string_view tag : {kFunctionEnd, close}) {
    at = skip_json_space(said, at);
    if (said.substr(at, tag.size()) != tag) return fault(std::string(tag) + " is expected");
    at += tag.size();
  }
  step.kind = CallStep::Kind::closed;
  step.end = at;
  return step;
}

DUALAGENT_INLINE std::string QwenCoderCalls::read_parameters(std::string_view said, std::size_t& at,
                                                             ToolCall& call) const {
  std::set<std::string_view> seen;
  std::string arguments = "{";
  for (at = skip_json_space(said, at); said.substr(at, kFunctionEnd.size()) != kFunctionEnd;
       at = skip_json_space(said, at)) {
    const std::size_t tag = at;
    const auto key = read_tag(said, at, kParameter);
    if (!key) return "<parameter=NAME> or </function> is expected";
    const std::size_t end = said.find(kParameterEnd, at);
    const std::size_t next = said.substr(at, end - at).find(kParameter);
    if (end == std::string_view::npos || next != std::string_view::npos)
      return at = tag, "</parameter> of '" + printable(*key) + "' is missing in what begins";
    const std::string_view value = without_newlines(said.substr(at, end - at));
    for (const std::string_view text : {*key, value})
      if (!is_utf8(text)) return at = tag, "a parameter is not valid UTF-8";
    if (!seen.insert(*key).second)
      return at = tag, "the parameter '" + printable(*key) + "' is given twice";
    arguments += (arguments.size() == 1 ? "" : ", ") + json_literal(*key) + ": ";
    arguments += values.read(call.tool, std::string(*key), value);
    at = end + kParameterEnd.size();
  }
  call.arguments = std::move(arguments) + "}";
  return {};
}

DUALAGENT_INLINE std::string QwenCoderCalls::render_call(const ToolCall& call) const {
  check_writable(call, "QwenCoderCalls");
  const std::string where = "QwenCoderCalls, call of '" + printable(call.tool) + "'";
  if (!is_name(call.tool)) throw Error("a tool's name holds '<', '>' or a newline", where);
  std::string text = "<tool_call>\n<function=" + call.tool + ">\n";
  std::set<std::string> seen;
  walk_json_object(call.arguments, 0, [&](std::string_view key, std::string_view value, auto) {
    const std::string name = json_string_text(key);
    if (!is_name(name) || !seen.insert(name).second)
      throw Error("the parameter '" + printable(name) + "' cannot be written", where,
                  "Name every parameter once, without '<', '>' and newlines");
    text += "<parameter=" + name + ">\n" + values.write(call.tool, name, value, kValueTags, where) +
            "\n</parameter>\n";
    return static_cast<const char*>(nullptr);
  });
  return text + "</function>\n</tool_call>";
}

DUALAGENT_INLINE Turn QwenCoderCalls::read_answer(std::string_view said) {
  for (const std::string_view tag : {kFunction, kParameter, brackets[0].close})
    if (const std::size_t stray = said.find(tag); stray != std::string_view::npos)
      return MalformedTurn{kUnopened + place_in(said, stray)};
  return answer_of_plain_text(said);
}

}  // namespace dualagent
