#pragma once

/// Definitions of gpt_oss_calls.hpp; see core/compiled.hpp.

#include "dualagent/text/gpt_oss_calls.hpp"

namespace dualagent {

DUALAGENT_INLINE Turn GptOssCalls::parse(std::string_view said) const {
  if (trimmed(said).empty()) return MalformedTurn{"nothing was said"};
  std::vector<ToolCall> calls;
  std::optional<std::string> answer;
  for (std::size_t at = skip_json_space(said, 0); at < said.size();
       at = skip_json_space(said, at)) {
    if (answer) return MalformedTurn{"something follows the final message" + place_in(said, at)};
    Message message = next_message(said, at);
    if (!message.fault.empty()) return MalformedTurn{message.fault};
    if (message.call) calls.push_back(std::move(*message.call));
    if (message.channel == "final") answer = std::string(trimmed(message.body));
    at = message.end;
  }
  if (answer && !calls.empty())
    return MalformedTurn{"the turn holds both a call and a final message"};
  if (answer) return Answer{*answer};
  if (calls.empty()) return MalformedTurn{"the turn holds neither a call nor a final message"};
  return calls;
}

DUALAGENT_INLINE std::optional<std::size_t> GptOssCalls::call_end(std::string_view said) const {
  for (std::size_t at = skip_json_space(said, 0); at < said.size();
       at = skip_json_space(said, at)) {
    const Message message = next_message(said, at);
    if (!message.fault.empty()) return std::nullopt;
    at = message.end;
    if (message.call) return at;
  }
  return std::nullopt;
}

DUALAGENT_INLINE std::string GptOssCalls::render_calls(std::span<const ToolCall> calls) const {
  std::string text;
  for (const ToolCall& call : calls) {
    check_writable(call, "GptOssCalls");
    if (call.tool.find_first_of(kNameEnd) != std::string::npos)
      throw Error("a tool's name holds white space or '<'",
                  "GptOssCalls, call of '" + printable(call.tool) + "'");
    text += std::string(text.empty() ? "" : "<|start|>assistant") +
            "<|channel|>commentary to=functions." + call.tool + " <|constrain|>json<|message|>" +
            call.arguments + "<|call|>";
  }
  return text;
}

DUALAGENT_INLINE std::string GptOssCalls::describe_tools(std::span<const ToolSpec> tools) const {
  if (tools.empty()) return {};
  std::string text =
      "# Tools\n\nCalls go to the commentary channel, to=functions.NAME, with the "
      "arguments as JSON. The functions are:\n";
  for (const ToolSpec& tool : tools) text += "\n" + tool_spec_json(tool);
  return text;
}

DUALAGENT_INLINE std::string_view GptOssCalls::word_after(std::string_view header,
                                                          std::string_view key) {
  const std::size_t at = header.find(key);
  if (at == std::string_view::npos) return {};
  const std::string_view word = header.substr(at + key.size());
  return word.substr(0, word.find_first_of(kNameEnd));
}

DUALAGENT_INLINE auto GptOssCalls::next_message(std::string_view said, std::size_t at) -> Message {
  constexpr std::string_view kStart = "<|start|>assistant", kMessage = "<|message|>";
  const std::size_t header_at = said.substr(at, kStart.size()) == kStart ? at + kStart.size() : at;
  const std::size_t header_end = said.find(kMessage, header_at);
  if (header_end == std::string_view::npos)
    return faulty("<|message|> is missing in the message" + place_in(said, at));
  const std::string_view header = said.substr(header_at, header_end - header_at);
  const std::string_view channel = word_after(header, "<|channel|>");
  if (channel.empty()) return faulty("the message names no channel" + place_in(said, at));
  if (header.find("to=") == std::string_view::npos)
    return plain_message(said, header_end + kMessage.size(), channel);
  constexpr std::string_view kNamespace = "functions.";
  std::string_view recipient = word_after(header, "to=");
  if (!recipient.starts_with(kNamespace) || recipient.size() == kNamespace.size())
    return faulty("a call goes to functions.NAME, not to '" + printable(recipient) + "'" +
                  place_in(said, at));
  recipient.remove_prefix(kNamespace.size());
  if (!is_utf8(recipient))
    return faulty("the name of a tool is not valid UTF-8" + place_in(said, at));
  return call_message(said, header_end + kMessage.size(), channel, recipient);
}

DUALAGENT_INLINE auto GptOssCalls::plain_message(std::string_view said, std::size_t body,
                                                 std::string_view channel) -> Message {
  for (std::size_t at = said.find("<|", body);; at = said.find("<|", at + 2)) {
    if (at == std::string_view::npos)  // the end of the turn ends its last message
      return {.channel = channel, .body = said.substr(body), .end = said.size()};
    for (const std::string_view end : {"<|end|>", "<|return|>"})
      if (said.substr(at, end.size()) == end)
        return {.channel = channel, .body = said.substr(body, at - body), .end = at + end.size()};
    if (said.substr(at, 8) == "<|call|>")
      return faulty("a message without to=functions.NAME ends as a call" + place_in(said, at));
    for (const std::string_view next : {"<|start|>", "<|channel|>", "<|message|>"})
      if (said.substr(at, next.size()) == next)
        return faulty("<|end|> of a message is missing" + place_in(said, at));
  }
}

DUALAGENT_INLINE auto GptOssCalls::call_message(std::string_view said, std::size_t body,
                                                std::string_view channel, std::string_view tool)
    -> Message {
  const std::string_view close = brackets[0].close;
  const std::size_t begin = skip_json_space(said, body);
  if (said.substr(begin, close.size()) == close)
    return {
        .channel = channel, .call = ToolCall{std::string(tool), "{}"}, .end = begin + close.size()};
  if (begin >= said.size() || said[begin] != '{')
    return faulty("a JSON object of arguments is expected" + place_in(said, begin));
  const JsonEnd end = skip_json_value(said, begin);
  if (!end.whole()) return faulty(end.fault + place_in(said, end.at));
  const std::size_t at = skip_json_space(said, end.at);
  if (said.substr(at, close.size()) != close)
    return faulty("<|call|> is expected" + place_in(said, at));
  const std::string_view arguments = said.substr(begin, end.at - begin);
  return {.channel = channel,
          .body = arguments,
          .call = ToolCall{std::string(tool), std::string(arguments)},
          .end = at + close.size()};
}

}  // namespace dualagent
