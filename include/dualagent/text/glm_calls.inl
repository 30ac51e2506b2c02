#pragma once

/// Definitions of glm_calls.hpp; see core/compiled.hpp.

#include "dualagent/text/glm_calls.hpp"

namespace dualagent::detail {

DUALAGENT_INLINE std::string GlmCallText::describe(std::span<const ToolSpec> tools,
                                                   const std::string& line_break) {
  if (tools.empty()) return {};
  std::string text = tool_signatures(tools) +
                     "\n\nFor each function call, output the function name and arguments within "
                     "the following XML format:\n<tool_call>{function-name}";
  for (const char* line : {"<arg_key>{arg-key-1}</arg_key>", "<arg_value>{arg-value-1}</arg_value>",
                           "<arg_key>{arg-key-2}</arg_key>", "<arg_value>{arg-value-2}</arg_value>",
                           "...", "</tool_call>"})
    text += line_break + line;
  return text;
}

DUALAGENT_INLINE std::size_t GlmCallText::find_tag(std::string_view text) {
  std::size_t first = std::string_view::npos;
  for (const std::string_view tag : {kKey, kKeyEnd, kValue, kValueEnd, brackets[0].close})
    first = std::min(first, text.find(tag));
  return first;
}

DUALAGENT_INLINE std::optional<std::string_view> GlmCallText::read_between(std::string_view said,
                                                                           std::size_t& at,
                                                                           std::string_view open,
                                                                           std::string_view close) {
  if (!said.substr(at).starts_with(open)) return std::nullopt;
  const std::size_t begin = at + open.size(), end = said.find(close, begin);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view inside = said.substr(begin, end - begin);
  for (const std::string_view next : {kKey, kValue})
    if (inside.find(next) != std::string_view::npos) return std::nullopt;
  at = end + close.size();
  return inside;
}

DUALAGENT_INLINE CallStep GlmCallText::next_call(std::string_view said, std::size_t from) const {
  const std::size_t begin = said.find(brackets[0].open, from);
  if (begin == std::string_view::npos) return {};
  CallStep step{.kind = CallStep::Kind::broken, .begin = begin};
  const std::size_t stray = find_tag(said.substr(from, begin - from));
  std::size_t at = stray == std::string_view::npos ? begin : from + stray;
  step.fault =
      at == begin ? read_call(said, at, step.call) : "the <tool_call> of a call is missing";
  if (!step.fault.empty()) return step.fault += place_in(said, at), step;
  step.kind = CallStep::Kind::closed;
  step.end = at;
  return step;
}

DUALAGENT_INLINE std::string GlmCallText::read_call(std::string_view said, std::size_t& at,
                                                    ToolCall& call) const {
  at = skip_json_space(said, at + brackets[0].open.size());
  const std::size_t end = std::min(said.find('<', at), said.size());
  const std::string_view name = trimmed(said.substr(at, end - at));
  if (!is_tool_name(name)) return "the name of a tool is expected";
  call.tool = name;
  at = end;
  return read_arguments(said, at, call);
}

DUALAGENT_INLINE std::string GlmCallText::read_arguments(std::string_view said, std::size_t& at,
                                                         ToolCall& call) const {
  const std::string_view close = brackets[0].close;
  std::set<std::string_view> seen;
  std::string arguments = "{";
  for (; !said.substr(at).starts_with(close); at = skip_json_space(said, at)) {
    const std::size_t begin = at;
    const auto key = read_between(said, at, kKey, kKeyEnd);
    if (!key || !is_name(*key))
      return at = begin, "<arg_key>NAME</arg_key> or </tool_call> is expected";
    if (!seen.insert(*key).second)
      return at = begin, "the argument '" + printable(*key) + "' is given twice";
    at = skip_json_space(said, at);
    const std::size_t value_begin = at;
    const auto value = read_between(said, at, kValue, kValueEnd);
    if (!value) return "<arg_value>VALUE</arg_value> of '" + printable(*key) + "' is expected";
    if (!is_utf8(*value))
      return at = value_begin, "the value of '" + printable(*key) + "' is not valid UTF-8";
    arguments += (arguments.size() == 1 ? "" : ", ") + json_literal(*key) + ": ";
    arguments += values.read(call.tool, std::string(*key), *value);
  }
  at += close.size();
  call.arguments = std::move(arguments) + "}";
  return {};
}

DUALAGENT_INLINE std::string GlmCallText::render(std::span<const ToolCall> calls,
                                                 const std::string& line_break) const {
  std::string text;
  for (const ToolCall& call : calls)
    text += (text.empty() ? "" : line_break) + render_call(call, line_break);
  return text;
}

DUALAGENT_INLINE std::string GlmCallText::render_call(const ToolCall& call,
                                                      const std::string& line_break) const {
  check_writable(call, "GlmCalls");
  const std::string where = "GlmCalls, call of '" + printable(call.tool) + "'";
  if (!is_tool_name(call.tool))
    throw Error(
        "a tool's name has white space at an end, begins with '{', or holds '<', '>' or a "
        "newline",
        where);
  std::string text = "<tool_call>" + call.tool + line_break;
  std::set<std::string> seen;
  walk_json_object(call.arguments, 0, [&](std::string_view key, std::string_view value, auto) {
    const std::string name = json_string_text(key);
    if (!is_name(name) || !seen.insert(name).second)
      throw Error("the argument '" + printable(name) + "' cannot be written", where,
                  "Name every argument once, without '<', '>' and newlines");
    text += "<arg_key>" + name + "</arg_key>" + line_break + "<arg_value>" +
            values.write(call.tool, name, value, kValueTags, where) + "</arg_value>" + line_break;
    return static_cast<const char*>(nullptr);
  });
  return text + "</tool_call>";
}

DUALAGENT_INLINE Turn GlmCallText::read_answer(std::string_view said) {
  const std::size_t stray = find_tag(said);
  if (stray != std::string_view::npos)
    return MalformedTurn{"the <tool_call> of a call is missing" + place_in(said, stray)};
  return answer_of_plain_text(said);
}

}  // namespace dualagent::detail
