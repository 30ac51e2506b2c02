#pragma once

/// Definitions of openai_calls.hpp; see core/compiled.hpp.

#include "dualagent/text/openai_calls.hpp"

namespace dualagent {

DUALAGENT_INLINE Turn OpenAiCalls::parse(std::string_view said) const {
  const std::size_t begin = skip_json_space(said, 0);
  if (begin == said.size() || said[begin] != '{') return read_text(said);
  const Message message = read_message(said, begin);
  if (!message.fault.empty()) return MalformedTurn{message.fault};
  const std::size_t rest = skip_json_space(said, message.end);
  if (rest != said.size()) return MalformedTurn{"text follows the message" + place_in(said, rest)};
  if (!message.calls.empty()) return message.calls;
  return answer_of_plain_text(message.content);
}

DUALAGENT_INLINE std::optional<std::size_t> OpenAiCalls::call_end(std::string_view said) const {
  const Message message = read_message(said, skip_json_space(said, 0));
  if (!message.fault.empty() || message.calls.empty()) return std::nullopt;
  return message.end;
}

DUALAGENT_INLINE std::string OpenAiCalls::render_calls(std::span<const ToolCall> calls) const {
  std::string text = "{\"role\": \"assistant\", \"content\": null, \"tool_calls\": [";
  for (std::size_t i = 0; i < calls.size(); ++i) {
    check_writable(calls[i], "OpenAiCalls");
    const std::string id = calls[i].id.empty() ? "call_" + std::to_string(i + 1) : calls[i].id;
    text += std::string(i == 0 ? "" : ", ") + "{\"id\": " + json_literal(id) +
            ", \"type\": \"function\", \"function\": {\"name\": " + json_literal(calls[i].tool) +
            ", \"arguments\": " + json_literal(calls[i].arguments) + "}}";
  }
  return text + "]}";
}

DUALAGENT_INLINE std::string OpenAiCalls::describe_tools(std::span<const ToolSpec> tools) const {
  if (tools.empty()) return {};
  std::string text =
      "Answer with one JSON message of the OpenAI chat API. To call tools, give it tool_calls; "
      "to answer, give it content. The tools are: [";
  for (std::size_t i = 0; i < tools.size(); ++i)
    text += (i == 0 ? "" : ", ") + tool_spec_json(tools[i]);
  return text + "]";
}

DUALAGENT_INLINE Turn OpenAiCalls::read_text(std::string_view said) {
  const std::size_t at = std::min(said.find("\"tool_calls\""), find_call_in_text(said));
  if (at == std::string_view::npos) return answer_of_plain_text(said);
  return MalformedTurn{"text precedes a call" + place_in(said, at) +
                       "; a turn is one JSON message and nothing else"};
}

DUALAGENT_INLINE auto OpenAiCalls::read_message(std::string_view said, std::size_t at) -> Message {
  Message message;
  bool has_calls = false, has_content = false;
  const auto visit = [&](std::string_view key, std::string_view value, std::size_t value_at) {
    const bool null = value == "null";
    if (is_key(key, "content") && !null) {
      if (std::exchange(has_content, true)) return "\"content\" is given twice";
      if (value.front() != '"') return "\"content\" must be a text or null";
      message.content = json_string_text(value);
    } else if (is_key(key, "function_call") && !null) {
      return "\"function_call\" is the old form; write \"tool_calls\"";
    } else if (is_key(key, "tool_calls") && !null) {
      if (std::exchange(has_calls, true)) return "\"tool_calls\" is given twice";
      if (value.front() != '[') return "\"tool_calls\" must be an array";
      message.fault = read_array(said, value_at, message.calls);
      if (!message.fault.empty()) return "a call is broken";
    }
    return static_cast<const char*>(nullptr);
  };
  const JsonEnd end = walk_json_object(said, at, visit);
  message.end = end.at;
  if (!end.whole() && message.fault.empty()) message.fault = end.fault + place_in(said, end.at);
  if (message.fault.empty() && !has_calls && !has_content)
    message.fault = "the message has neither \"content\" nor \"tool_calls\"" + place_in(said, at);
  return message;
}

DUALAGENT_INLINE bool OpenAiCalls::is_key(std::string_view key, std::string_view name) {
  if (key.find('\\') != std::string_view::npos) return json_string_text(key) == name;
  return key.substr(1, key.size() - 2) == name;
}

DUALAGENT_INLINE std::string OpenAiCalls::read_array(std::string_view said, std::size_t at,
                                                     std::vector<ToolCall>& calls) {
  for (at = skip_json_space(said, at + 1); said[at] != ']'; at = skip_json_space(said, at)) {
    if (said[at] == ',') at = skip_json_space(said, at + 1);
    ToolCall call;
    std::string fault = read_call(said, at, call);
    if (!fault.empty()) return "call " + std::to_string(calls.size() + 1) + ": " + fault;
    calls.push_back(std::move(call));
  }
  return {};
}

DUALAGENT_INLINE std::string OpenAiCalls::read_call(std::string_view said, std::size_t& at,
                                                    ToolCall& call) {
  bool has_function = false, has_id = false;
  std::string fault;
  const std::size_t begin = at;
  const JsonEnd end =
      walk_json_object(said, at, [&](std::string_view key, std::string_view value, auto value_at) {
        if (is_key(key, "id")) {
          if (std::exchange(has_id, true)) return "\"id\" is given twice";
          if (value.front() != '"') return "\"id\" must be a text";
          call.id = json_string_text(value);
        } else if (is_key(key, "function")) {
          if (std::exchange(has_function, true)) return "\"function\" is given twice";
          fault = read_function(said, value_at, call);
          if (!fault.empty()) return "a function is broken";
        }
        return static_cast<const char*>(nullptr);
      });
  at = end.at;
  if (!fault.empty()) return fault;
  if (!end.whole()) return end.fault + place_in(said, end.at);
  if (!has_function) return "the key \"function\" is missing" + place_in(said, begin);
  return {};
}

DUALAGENT_INLINE std::string OpenAiCalls::read_function(std::string_view said, std::size_t at,
                                                        ToolCall& call) {
  bool named = false, has_arguments = false;
  const JsonEnd end =
      walk_json_object(said, at, [&](std::string_view key, std::string_view value, auto) {
        if (is_key(key, "name")) {
          if (std::exchange(named, true)) return "\"name\" is given twice";
          if (value.front() != '"' || value.size() == 2)
            return "\"name\" must be the name of a tool";
          call.tool = json_string_text(value);
        } else if (is_key(key, "arguments")) {
          if (std::exchange(has_arguments, true)) return "\"arguments\" is given twice";
          if (value.front() != '"') return "\"arguments\" must be a string that holds JSON";
          call.arguments = trimmed(json_string_text(value));
          if (call.arguments.empty()) call.arguments = "{}";
        }
        return static_cast<const char*>(nullptr);
      });
  if (!end.whole()) return end.fault + place_in(said, end.at);
  if (!named || !has_arguments)
    return std::string("the key \"") + (named ? "arguments" : "name") + "\" is missing" +
           place_in(said, at);
  const bool object = call.arguments.starts_with('{');
  const JsonEnd json =
      object ? skip_json_value(call.arguments, 0) : JsonEnd{0, "a JSON object is expected"};
  if (json.whole() && json.at == call.arguments.size()) return {};
  return "in the text of \"arguments\", " +
         std::string(json.whole() ? "something follows the object" : json.fault) +
         place_in(call.arguments, json.at);
}

}  // namespace dualagent
