#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "dualagent/text/call_format.hpp"
#include "dualagent/text/json_call.hpp"

namespace dualagent {

/// The harmony messages of gpt-oss, after `<|start|>assistant`:
///
///   <|channel|>analysis<|message|>THOUGHT<|end|><|start|>assistant<|channel|>commentary
///   to=functions.add <|constrain|>json<|message|>{"x": 1}<|call|>
///
/// on one line. A call without a text has no arguments. The recipient may also stand before the
/// channel. The answer is the message of the channel `final`; messages of other channels without a
/// recipient are ignored. Source: the chat template of gpt-oss-120b and OpenAI's description of
/// harmony.
struct GptOssCalls {
  static constexpr std::array brackets{CallBrackets{"<|start|>", "<|call|>"}};
  static constexpr std::array<std::string_view, 6> markers{
      "<|start|>", "<|channel|>", "<|constrain|>", "<|message|>", "<|end|>", "<|call|>"};
  static constexpr ResultPlace result_place = ResultPlace::own_message;

  Turn parse(std::string_view said) const {
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

  std::optional<std::size_t> call_end(std::string_view said) const {
    for (std::size_t at = skip_json_space(said, 0); at < said.size();
         at = skip_json_space(said, at)) {
      const Message message = next_message(said, at);
      if (!message.fault.empty()) return std::nullopt;
      at = message.end;
      if (message.call) return at;
    }
    return std::nullopt;
  }

  /// Errors: Error for a tool's name with white space or '<'.
  std::string render_calls(std::span<const ToolCall> calls) const {
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

  /// What stands between `<|message|>` and `<|end|>` of the tool's message: a JSON string.
  std::string render_result(const ToolCall&, std::string_view text) const {
    return json_literal(text);
  }

  std::string describe_tools(std::span<const ToolSpec> tools) const {
    if (tools.empty()) return {};
    std::string text =
        "# Tools\n\nCalls go to the commentary channel, to=functions.NAME, with the "
        "arguments as JSON. The functions are:\n";
    for (const ToolSpec& tool : tools) text += "\n" + tool_spec_json(tool);
    return text;
  }

 private:
  static constexpr std::string_view kNameEnd = " \t\r\n<";

  struct Message {
    std::string_view channel = {};
    std::string_view body = {};
    std::optional<ToolCall> call = {};
    std::size_t end = 0;
    std::string fault = {};
  };

  static Message faulty(std::string fault) { return {.fault = std::move(fault)}; }

  /// The word that follows `key` in a header.
  static std::string_view word_after(std::string_view header, std::string_view key) {
    const std::size_t at = header.find(key);
    if (at == std::string_view::npos) return {};
    const std::string_view word = header.substr(at + key.size());
    return word.substr(0, word.find_first_of(kNameEnd));
  }

  static Message next_message(std::string_view said, std::size_t at) {
    constexpr std::string_view kStart = "<|start|>assistant", kMessage = "<|message|>";
    const std::size_t header_at =
        said.substr(at, kStart.size()) == kStart ? at + kStart.size() : at;
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

  static Message plain_message(std::string_view said, std::size_t body, std::string_view channel) {
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

  static Message call_message(std::string_view said, std::size_t body, std::string_view channel,
                              std::string_view tool) {
    const std::string_view close = brackets[0].close;
    const std::size_t begin = skip_json_space(said, body);
    if (said.substr(begin, close.size()) == close)
      return {.channel = channel,
              .call = ToolCall{std::string(tool), "{}"},
              .end = begin + close.size()};
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
};
static_assert(CallFormat<GptOssCalls>);

}  // namespace dualagent
