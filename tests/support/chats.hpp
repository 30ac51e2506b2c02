#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/text/call_format.hpp"
#include "dualagent/text/chat_template.hpp"

/// Conversations of tests/golden/chat_templates, written by our templates.
namespace chats {

using Json = nlohmann::ordered_json;

/// As Python's json.dumps(value, ensure_ascii=False) spaces it.
inline std::string python_json(const Json& value) {
  std::string text;
  if (value.is_object()) {
    for (const auto& [key, member] : value.items())
      text += (text.empty() ? "" : ", ") + Json(key).dump() + ": " + python_json(member);
    return "{" + text + "}";
  }
  if (!value.is_array()) return value.dump();
  for (const Json& element : value) text += (text.empty() ? "" : ", ") + python_json(element);
  return "[" + text + "]";
}

/// Those of `tools` that the conversation names by their index.
inline std::vector<dualagent::ToolSpec> tools_of(const Json& tools, const Json& conversation) {
  std::vector<dualagent::ToolSpec> specs;
  for (const std::size_t index : conversation.at("tools")) {
    const Json& tool = tools.at(index);
    specs.push_back({tool.at("name"), tool.at("description"), python_json(tool.at("parameters"))});
  }
  return specs;
}

inline std::vector<dualagent::ToolCall> calls_of(const Json& calls) {
  std::vector<dualagent::ToolCall> read;
  for (const Json& call : calls) {
    const Json& function = call.contains("function") ? call.at("function") : call;
    read.push_back({function.at("name"), python_json(function.at("arguments")),
                    call.value("id", std::string())});
  }
  return read;
}

/// The text and the calls of a message, parted by `between`.
template <class Format>
std::string spoken(const Format& format, const Json& message, const std::string& between) {
  const std::string content = message.at("content");
  if (!message.contains("tool_calls")) return content;
  return content + (content.empty() ? "" : between) +
         format.render_calls(calls_of(message.at("tool_calls")));
}

/// The conversation by our rules: every message is appended to what is there; `said(message)` is
/// what the model said in one.
template <class Template, class Format, class Said>
dualagent::Pieces rendered(const Template& chat, const Format& format, const Json& tools,
                           const Json& conversation, const Said& said) {
  dualagent::Pieces pieces;
  const Json& messages = conversation.at("messages");
  const std::string described = format.describe_tools(tools_of(tools, conversation));
  const bool system = messages[0].at("role") == "system";
  const std::string system_text = system ? messages[0].at("content") : Json("");
  const std::string user = messages[system ? 1 : 0].at("content");
  chat.open(pieces, {system_text, described, user});
  std::vector<dualagent::ToolCall> calls;
  for (std::size_t i = system ? 2 : 1; i < messages.size(); ++i) {
    const std::string role = messages[i].at("role"), content = messages[i].at("content");
    if (role == "user") chat.user(pieces, content);
    if (role == "assistant") {
      chat.assistant(pieces);
      pieces.text(said(messages[i]));
      calls = calls_of(messages[i].value("tool_calls", Json::array()));
      // Without an end of its own, the next message ends the turn.
      if (!std::string_view(chat.end_of_turn).empty()) pieces.special(chat.end_of_turn);
      chat.after_turn(pieces);
    }
    if (role != "tool") continue;
    std::vector<std::string> bodies;
    const auto add = [&](const Json& result) {
      const bool called = bodies.size() < calls.size();  // GLM-4's results follow no calls
      bodies.push_back(format.render_result(called ? calls[bodies.size()] : dualagent::ToolCall{},
                                            result.at("content").template get<std::string>()));
    };
    add(messages[i]);
    for (; i + 1 < messages.size() && messages[i + 1].at("role") == "tool"; ++i)
      add(messages[i + 1]);
    chat.results(pieces, bodies);
  }
  if (conversation.at("prompt")) chat.assistant(pieces);
  return pieces;
}

}  // namespace chats
