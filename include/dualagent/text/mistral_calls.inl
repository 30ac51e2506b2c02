#pragma once

/// Definitions of mistral_calls.hpp; see core/compiled.hpp.

#include "dualagent/text/mistral_calls.hpp"

namespace dualagent::detail {

DUALAGENT_INLINE bool is_mistral_id(std::string_view id) {
  return id.size() == kMistralIdSize && std::all_of(id.begin(), id.end(), [](char c) {
           return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
         });
}

DUALAGENT_INLINE std::string mistral_id(const ToolCall& call, std::size_t place,
                                        std::string_view format) {
  if (call.id.empty())
    return sha256_hex(std::to_string(place) + "\n" + call.tool + "\n" + call.arguments)
        .substr(0, kMistralIdSize);
  if (is_mistral_id(call.id)) return call.id;
  throw Error("a call's id is '" + printable(call.id) + "', not 9 letters and digits",
              std::string(format) + ", call of '" + printable(call.tool) + "'",
              "Leave the id out: one is made from the call");
}

DUALAGENT_INLINE std::string MistralCallText::describe_tools(
    std::span<const ToolSpec> tools) const {
  std::string text;
  for (const ToolSpec& tool : tools) text += (text.empty() ? "[" : ", ") + tool_spec_json(tool);
  return text.empty() ? text : text + "]";
}

DUALAGENT_INLINE bool MistralCallText::is_tool_name(std::string_view name) {
  return !name.empty() && name.find_first_of("[{\n") == std::string_view::npos &&
         trimmed(name) == name && is_utf8(name);
}

DUALAGENT_INLINE std::size_t MistralCallText::find_tag(std::string_view text) {
  return std::min(text.find(kId), text.find(kArguments));
}

DUALAGENT_INLINE CallStep MistralCallText::next_call(std::string_view said, std::size_t from,
                                                     bool ids) {
  const std::string_view open = brackets[0].open;
  const std::size_t begin = said.find(open, from);
  if (begin == std::string_view::npos) return {};
  CallStep step{.kind = CallStep::Kind::broken, .begin = begin};
  const std::size_t stray = find_tag(said.substr(from, begin - from));
  std::size_t at = stray == std::string_view::npos ? begin + open.size() : from + stray;
  step.fault = stray == std::string_view::npos ? read_call(said, at, ids, step.call)
                                               : "the [TOOL_CALLS] of a call is missing";
  if (!step.fault.empty()) return step.fault += place_in(said, at), step;
  step.kind = CallStep::Kind::closed;
  step.end = at;
  return step;
}

DUALAGENT_INLINE std::string MistralCallText::read_call(std::string_view said, std::size_t& at,
                                                        bool ids, ToolCall& call) {
  const std::size_t tag = std::min(said.find('[', at), said.size());
  const std::string_view name = trimmed(said.substr(at, tag - at));
  if (!is_tool_name(name)) return "the name of a tool is expected";
  call.tool = name;
  at = tag;
  if (ids) {
    if (!said.substr(at).starts_with(kId)) return "[CALL_ID] is expected";
    at += kId.size();
    const std::string_view id = said.substr(at, kMistralIdSize);
    if (!is_mistral_id(id)) return "an id of 9 letters and digits is expected";
    call.id = id;
    at += id.size();
  }
  if (!said.substr(at).starts_with(kArguments)) return "[ARGS] is expected";
  at = skip_json_space(said, at + kArguments.size());
  if (at >= said.size() || said[at] != '{') return "a JSON object is expected";
  const JsonEnd end = skip_json_value(said, at);
  if (end.whole()) call.arguments = said.substr(at, end.at - at);
  at = end.at;
  return end.whole() ? "" : end.fault;
}

DUALAGENT_INLINE std::string MistralCallText::render(std::span<const ToolCall> calls, bool ids) {
  std::string text;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    check_writable(calls[i], "MistralCalls");
    if (!is_tool_name(calls[i].tool))
      throw Error("a tool's name has white space at an end, or holds '[', '{' or a newline",
                  "MistralCalls, call of '" + printable(calls[i].tool) + "'");
    text += std::string(brackets[0].open) + calls[i].tool;
    if (ids) text += std::string(kId) + mistral_id(calls[i], i, "MistralCalls");
    text += std::string(kArguments) + calls[i].arguments;
  }
  return text;
}

DUALAGENT_INLINE Turn MistralCallText::read_answer(std::string_view said) {
  const std::size_t stray = find_tag(said);
  if (stray != std::string_view::npos)
    return MalformedTurn{"the [TOOL_CALLS] of a call is missing" + place_in(said, stray)};
  return answer_of_plain_text(said);
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE Turn MistralNemoCalls::parse(std::string_view said) const {
  const std::string_view open = brackets[0].open;
  const std::size_t begin = said.find(open);
  if (begin == std::string_view::npos) return read_answer(said);
  List list = read_list(said, begin + open.size());
  if (!list.fault.empty()) return MalformedTurn{std::move(list.fault)};
  const std::size_t rest = skip_json_space(said, list.end);
  if (rest == said.size()) return std::move(list.calls);
  return MalformedTurn{"text follows the list of calls" + place_in(said, rest) +
                       "; end the turn after it"};
}

DUALAGENT_INLINE std::optional<std::size_t> MistralNemoCalls::call_end(
    std::string_view said) const {
  const std::string_view open = brackets[0].open;
  const std::size_t begin = said.find(open);
  if (begin == std::string_view::npos) return std::nullopt;
  const List list = read_list(said, begin + open.size());
  if (!list.fault.empty()) return std::nullopt;
  return list.end;
}

DUALAGENT_INLINE auto MistralNemoCalls::read_list(std::string_view said, std::size_t at) -> List {
  List list;
  const auto fail = [&](const std::string& what) {
    list.fault = "call " + std::to_string(list.calls.size() + 1) + ": " + what;
    return list;
  };
  at = skip_json_space(said, at);
  if (at >= said.size() || said[at] != '[')
    return fail("a list of calls is expected" + place_in(said, at));
  do {
    const std::size_t begin = skip_json_space(said, at + 1);
    JsonCall read = read_json_call(said, begin, "arguments", "id");
    if (!read.fault.empty()) return fail(read.fault);
    if (!detail::is_mistral_id(read.call.id))
      return fail("\"id\" must be a text of 9 letters and digits" + place_in(said, begin));
    at = skip_json_space(said, read.end);
    if (at >= said.size() || (said[at] != ',' && said[at] != ']'))
      return fail("a ',' or ']' is expected in the list of calls" + place_in(said, at));
    list.calls.push_back(std::move(read.call));
  } while (said[at] == ',');
  list.end = at + 1;
  return list;
}

DUALAGENT_INLINE std::string MistralNemoCalls::render_calls(std::span<const ToolCall> calls) const {
  std::string text(brackets[0].open);
  for (std::size_t i = 0; i < calls.size(); ++i) {
    std::string call = write_json_call(calls[i], "arguments", "MistralNemoCalls");
    call.pop_back();
    text += (i == 0 ? "[" : ", ") + call + ", \"id\": \"" +
            detail::mistral_id(calls[i], i, "MistralNemoCalls") + "\"}";
  }
  return calls.empty() ? std::string() : text + "]";
}

DUALAGENT_INLINE std::string MistralNemoCalls::describe_tools(
    std::span<const ToolSpec> tools) const {
  std::string text;
  for (const ToolSpec& tool : tools)
    text +=
        (text.empty() ? "[" : ", ") + ("{\"type\": \"function\", \"function\": {\"name\": \"" +
                                       tool.name + "\", \"description\": \"" + tool.description +
                                       "\", \"parameters\": " + tool.parameters + "}}");
  return text.empty() ? text : text + "]";
}

DUALAGENT_INLINE Turn MistralNemoCalls::read_answer(std::string_view said) {
  const std::size_t bare = find_call_in_text(said);
  if (bare != std::string_view::npos)
    return MalformedTurn{"a call stands outside the list behind [TOOL_CALLS]" +
                         place_in(said, bare)};
  return answer_of_plain_text(said);
}

}  // namespace dualagent
