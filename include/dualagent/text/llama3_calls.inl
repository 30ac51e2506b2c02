#pragma once

/// Definitions of llama3_calls.hpp; see core/compiled.hpp.

#include "dualagent/text/llama3_calls.hpp"

namespace dualagent {

DUALAGENT_INLINE Turn Llama3Calls::parse(std::string_view said) const {
  const CallStep step = first_call(said);
  if (step.kind == CallStep::Kind::none) return read_answer(said);
  if (step.kind == CallStep::Kind::broken) return MalformedTurn{"call 1: " + step.fault};
  const std::size_t rest = skip_json_space(said, step.end);
  if (rest != said.size())
    return MalformedTurn{"text follows call 1" + place_in(said, rest) +
                         "; a message is one call and nothing else"};
  return std::vector<ToolCall>{step.call};
}

DUALAGENT_INLINE std::string Llama3Calls::render_calls(std::span<const ToolCall> calls) const {
  if (calls.size() > 1)
    throw Error("Llama 3 writes one call per message, not " + std::to_string(calls.size()),
                "Llama3Calls", "Split the turn");
  return calls.empty() ? "" : write_json_call(calls[0], "parameters", "Llama3Calls");
}

DUALAGENT_INLINE std::string Llama3Calls::describe_tools(std::span<const ToolSpec> tools) const {
  if (tools.empty()) return {};
  std::string text =
      "Given the following functions, please respond with a JSON for a function call with its "
      "proper arguments that best answers the given prompt.\n\nRespond in the format {\"name\": "
      "function name, \"parameters\": dictionary of argument name and its value}.Do not use "
      "variables.\n\n";
  for (const ToolSpec& tool : tools) text += indented_json(tool_spec_json(tool)) + "\n\n";
  return text;
}

DUALAGENT_INLINE Turn Llama3Calls::read_answer(std::string_view said) {
  const std::size_t tag = said.find(brackets[1].open), call = find_call_in_text(said);
  if (const std::size_t at = std::min(tag, call); at != std::string_view::npos)
    return MalformedTurn{"text precedes a call" + place_in(said, at) +
                         "; a message is one call and nothing else"};
  CallStep untagged;
  read_built_in(said, skip_json_space(said, 0), untagged);
  if (untagged.fault.empty()) return MalformedTurn{"<|python_tag|> is missing" + place_in(said, 0)};
  return answer_of_plain_text(said);
}

DUALAGENT_INLINE CallStep Llama3Calls::first_call(std::string_view said) {
  const std::string_view tag = brackets[1].open;
  std::size_t at = skip_json_space(said, 0);
  CallStep step{.kind = CallStep::Kind::broken, .begin = at};
  const bool tagged = said.substr(at, tag.size()) == tag;
  if (tagged) at = skip_json_space(said, at + tag.size());
  if (at < said.size() && said[at] == '{') {
    JsonCall read = read_json_call(said, at, "parameters");
    step.fault = std::move(read.fault);
    step.end = read.end;
    step.call = std::move(read.call);
  } else if (tagged) {
    read_built_in(said, at, step);
  } else {
    return {};
  }
  if (step.fault.empty()) step.kind = CallStep::Kind::closed;
  return step;
}

DUALAGENT_INLINE void Llama3Calls::read_built_in(std::string_view said, std::size_t at,
                                                 CallStep& step) {
  constexpr std::string_view kCall = ".call(";
  const std::size_t name_end = skip_name(said, at);
  if (name_end == at || said.substr(name_end, kCall.size()) != kCall)
    return void(step.fault = "a JSON object or NAME.call( is expected" + place_in(said, at));
  step.call.tool = said.substr(at, name_end - at);
  std::string arguments = "{";
  at = skip_json_space(said, name_end + kCall.size());
  while (at >= said.size() || said[at] != ')') {
    const std::size_t key_end = skip_name(said, at);
    if (key_end == at || key_end >= said.size() || said[key_end] != '=')
      return void(step.fault = "key=value or ')' is expected" + place_in(said, at));
    const JsonEnd value = skip_json_value(said, key_end + 1);
    if (!value.whole()) return void(step.fault = value.fault + place_in(said, value.at));
    arguments += arguments.size() == 1 ? "\"" : ", \"";
    arguments += std::string(said.substr(at, key_end - at)) + "\": ";
    arguments += said.substr(key_end + 1, value.at - key_end - 1);
    at = skip_json_space(said, value.at);
    if (at < said.size() && said[at] == ',') {
      at = skip_json_space(said, at + 1);
    } else if (at >= said.size() || said[at] != ')') {
      return void(step.fault = "',' or ')' is expected" + place_in(said, at));
    }
  }
  step.call.arguments = std::move(arguments) + "}";
  step.end = at + 1;
}

DUALAGENT_INLINE std::size_t Llama3Calls::skip_name(std::string_view said, std::size_t at) {
  const auto is_part = [](char c) {
    return detail::is_digit(c) || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  while (at < said.size() && is_part(said[at])) ++at;
  return at;
}

}  // namespace dualagent
