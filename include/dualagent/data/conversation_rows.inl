#pragma once

/// Definitions of conversation_rows.hpp; see core/compiled.hpp.

#include "dualagent/data/conversation_rows.hpp"

namespace dualagent::detail {

DUALAGENT_INLINE void RowPart::check_keys(const std::string& what,
                                          std::initializer_list<std::string_view> known,
                                          const std::vector<std::string>& others) const {
  if (!object.is_object()) fail(what + " is not a JSON object");
  for (const std::string& key : keys_of(object)) {
    if (object.at(key).is_null() || std::find(known.begin(), known.end(), key) != known.end() ||
        std::find(others.begin(), others.end(), key) != others.end())
      continue;
    const std::vector<std::string_view> names(known);
    fail(what + " has an unknown key \"" + printable(key) + "\"" + spelling_hint(key, names),
         "Take it out, or name it in ConversationRows::other_keys if it says nothing about what "
         "is to be learned");
  }
}

DUALAGENT_INLINE std::optional<std::string> RowPart::text(const char* key) const {
  if (!has(key)) return std::nullopt;
  if (!object.at(key).is_string() || object.at(key).get<std::string>().empty())
    fail(std::string("\"") + key + "\" is not a text, or empty");
  return object.at(key).get<std::string>();
}

/// Reads `arguments` as OpenAI writes them, a text that holds JSON, or as Hugging Face does, an
/// object, which is written as Python's json.dumps writes it.
inline std::string read_call_arguments(const RowPart& function) {
  const nlohmann::json arguments = function.object.value("arguments", nlohmann::json());
  if (arguments.is_object()) return spaced_json(json_member(function.raw, "arguments"));
  if (!arguments.is_string())
    function.fail("a call's \"arguments\" are neither a JSON object nor a text",
                  "Give them as an object; {} if there are none");
  std::string text(trimmed(arguments.get<std::string>()));
  if (text.empty()) return "{}";
  if (!parse_json(text, function.where + ", arguments", "Give a JSON object").is_object())
    function.fail("the text of a call's \"arguments\" is not a JSON object");
  return text;
}

/// {"id": ..., "type": "function", "function": {"name": ..., "arguments": ...}}, or name and
/// arguments without "function" around them.
inline ToolCall read_message_call(const RowPart& part) {
  const bool wrapped = part.object.is_object() && part.has("function");
  if (wrapped)
    part.check_keys("a call", {"id", "type", "function"});
  else
    part.check_keys("a call", {"id", "type", "name", "arguments"});
  if (part.has("type") && part.object.at("type") != "function")
    part.fail("a call's \"type\" is not \"function\"");
  const nlohmann::json& inner = wrapped ? part.object.at("function") : part.object;
  const RowPart function{inner, wrapped ? json_member(part.raw, "function") : part.raw, part.where};
  if (wrapped) function.check_keys("a call's \"function\"", {"name", "arguments"});
  const std::optional<std::string> name = function.text("name");
  if (!name) part.fail("a call names no tool");
  return {*name, read_call_arguments(function), part.text("id").value_or("")};
}

/// {"type": "function", "function": {"name": ..., "description": ..., "parameters": ...}}, or what
/// stands in it alone.
inline ToolSpec read_tool_spec(const RowPart& part) {
  const bool wrapped = part.object.is_object() && part.has("function");
  if (wrapped) part.check_keys("a tool", {"type", "function"});
  const nlohmann::json& inner = wrapped ? part.object.at("function") : part.object;
  const RowPart function{inner, wrapped ? json_member(part.raw, "function") : part.raw, part.where};
  function.check_keys("a tool", {"name", "description", "parameters"});
  const std::optional<std::string> name = function.text("name");
  if (!name) function.fail("a tool has no name");
  ToolSpec spec{.name = *name};
  if (function.has("description") && inner.at("description") != "")
    spec.description = *function.text("description");
  if (!function.has("parameters")) return spec;
  if (!inner.at("parameters").is_object())
    function.fail("a tool's \"parameters\" are not a JSON object");
  spec.parameters = spaced_json(json_member(function.raw, "parameters"));
  return spec;
}

DUALAGENT_INLINE Conversation ConversationReader::read(std::string_view text) {
  const nlohmann::json object = parse_json(text, row_, kConversationForm);
  const RowPart row{object, text, row_};
  if (object.is_object() && !row.has("messages"))
    row.fail("the row has no \"messages\"" + misspelt_key(object, "messages"));
  row.check_keys("the row", {"messages", "tools", "id"}, other_keys_);
  if (row.has("tools")) read_tools(row);
  const nlohmann::json& messages = object.at("messages");
  if (!messages.is_array() || messages.empty())
    row.fail("\"messages\" is not a list, or an empty one");
  const std::vector<std::string_view> raw = json_elements(json_member(text, "messages"));
  for (index_ = 0; index_ < messages.size(); ++index_) {
    const std::string where = row_ + ", messages[" + std::to_string(index_) + "]";
    read_message({messages[index_], raw.at(index_), where});
  }
  if (answered_ > 0) require_replies(row);
  if (std::none_of(made_.messages.begin(), made_.messages.end(), is_learned))
    row.fail("nothing is to be learned: no message is the assistant's or a summarizer's",
             "Give one of them, without \"weight\": 0");
  return std::move(made_);
}

DUALAGENT_INLINE void ConversationReader::read_tools(const RowPart& row) {
  const nlohmann::json& tools = row.object.at("tools");
  if (!tools.is_array()) row.fail("\"tools\" is not a list");
  const std::vector<std::string_view> raw = json_elements(json_member(row.raw, "tools"));
  made_.tools.emplace();
  for (std::size_t i = 0; i < tools.size(); ++i) {
    const std::string where = row_ + ", tools[" + std::to_string(i) + "]";
    made_.tools->push_back(read_tool_spec({tools[i], raw.at(i), where}));
  }
}

DUALAGENT_INLINE void ConversationReader::read_message(const RowPart& part) {
  if (!part.object.is_object()) part.fail("a message is not a JSON object");
  const std::string role = part.text("role").value_or("");
  if (role == "tool") return read_reply(part);
  if (role == "system") return read_system(part);
  constexpr const char* kRoles =
      "A role is \"system\", \"user\", \"assistant\", \"tool\" or \"summarizer\"";
  if (role != "user" && role != "assistant" && role != "summarizer")
    part.fail("\"role\" is " + (role.empty() ? "missing" : "\"" + printable(role) + "\""), kRoles);
  require_replies(part);
  ConversationMessage message{.index = index_};
  message.said.text = content(part).value_or("");
  if (role == "user") {
    part.check_keys("a message of the user", {"role", "content"}, other_keys_);
    if (message.said.text.empty()) part.fail("the message is empty");
  } else {
    message.speaker = role == "assistant" ? Speaker::assistant : Speaker::summarizer;
    read_said(part, message);
  }
  check_order(part, message);
  made_.messages.push_back(std::move(message));
  answered_ = 0;
  replies_.assign(made_.messages.back().said.calls.size(), std::nullopt);
}

DUALAGENT_INLINE std::optional<std::string> ConversationReader::content(const RowPart& part) const {
  std::optional<std::string> text = message_content(part.object, part.where, kConversationForm);
  if (text && !text->empty() && trimmed(*text).empty())
    part.fail("the content is nothing but white space", "Leave it out");
  return text;
}

DUALAGENT_INLINE void ConversationReader::read_system(const RowPart& part) {
  part.check_keys("a system message", {"role", "content"}, other_keys_);
  if (index_ != 0) part.fail("a system message is not the first one", "Put it first");
  made_.system = content(part).value_or("");
  if (made_.system->empty())
    part.fail("the system message is empty", "Leave it out, or give it a text");
}

DUALAGENT_INLINE void ConversationReader::read_said(const RowPart& part,
                                                    ConversationMessage& message) const {
  const bool assistant = message.speaker == Speaker::assistant;
  if (assistant)
    part.check_keys("a message of the assistant",
                    {"role", "content", "reasoning_content", "tool_calls", "weight"}, other_keys_);
  else
    part.check_keys("a summary", {"role", "content", "reasoning_content", "weight"}, other_keys_);
  const nlohmann::json thoughts = part.object.value("reasoning_content", nlohmann::json());
  if (!thoughts.is_null() && !thoughts.is_string())
    part.fail("\"reasoning_content\" is not a text");
  if (thoughts.is_string()) message.said.thoughts = thoughts.get<std::string>();
  if (part.has("weight")) {
    const nlohmann::json& weight = part.object.at("weight");
    if (weight != 0 && weight != 1)
      part.fail("\"weight\" is neither 0 nor 1", "1: it is learned; 0: it is only read");
    message.trained = weight == 1;
  }
  if (part.has("tool_calls")) read_calls(part, message.said.calls);
  if (message.said.text.empty() && message.said.calls.empty())
    part.fail("the message has neither content nor calls");
}

DUALAGENT_INLINE void ConversationReader::read_calls(const RowPart& part,
                                                     std::vector<ToolCall>& calls) const {
  const nlohmann::json& list = part.object.at("tool_calls");
  if (!list.is_array()) part.fail("\"tool_calls\" is not a list");
  const std::vector<std::string_view> raw = json_elements(json_member(part.raw, "tool_calls"));
  for (std::size_t i = 0; i < list.size(); ++i) {
    calls.push_back(read_message_call({list[i], raw.at(i), part.where}));
    for (std::size_t j = 0; j < i; ++j)
      if (!calls[i].id.empty() && calls[i].id == calls[j].id)
        part.fail("two calls have the id \"" + printable(calls[i].id) + "\"");
  }
}

DUALAGENT_INLINE void ConversationReader::read_reply(const RowPart& part) {
  part.check_keys("a reply of a tool", {"role", "content", "tool_call_id", "name"}, other_keys_);
  if (replies_.empty())
    part.fail("a tool replies, but no call stands before it",
              "The assistant's message before it needs \"tool_calls\"");
  const std::vector<ToolCall>& calls = made_.messages.back().said.calls;
  const std::optional<std::string> id = part.text("tool_call_id"), name = part.text("name");
  std::size_t call = 0;
  while (call < calls.size() && (id ? calls[call].id != *id : replies_[call].has_value())) ++call;
  if (call == calls.size())
    part.fail(id ? "no call has the id \"" + printable(*id) + "\"" : "every call has a reply");
  if (replies_[call]) part.fail("the call \"" + printable(*id) + "\" has a reply already");
  if (name && *name != calls[call].tool)
    part.fail("the reply is of '" + printable(*name) + "', the call was of '" +
              printable(calls[call].tool) + "'");
  replies_[call] = message_content(part.object, part.where, kConversationForm);
  if (!replies_[call]) part.fail("the reply has no content", "An empty text is one");
  if (++answered_ == calls.size())
    for (std::optional<std::string>& reply : replies_)
      made_.messages.back().replies.push_back(std::move(*reply));
}

DUALAGENT_INLINE void ConversationReader::require_replies(const RowPart& part) const {
  for (std::size_t i = 0; i < replies_.size() && answered_ < replies_.size(); ++i)
    if (!replies_[i])
      part.fail("call " + std::to_string(i + 1) + " of the message before, of '" +
                    printable(made_.messages.back().said.calls[i].tool) + "', has no reply",
                "Each call is answered by a message of role \"tool\"");
}

DUALAGENT_INLINE void ConversationReader::check_order(const RowPart& part,
                                                      const ConversationMessage& message) const {
  if (made_.messages.empty()) {
    if (message.speaker != Speaker::user) part.fail("a conversation begins with the user");
    return;
  }
  const ConversationMessage& last = made_.messages.back();
  const bool spoken = last.speaker == Speaker::assistant && last.said.calls.empty();
  const bool begins = made_.messages.size() == 1;
  if (message.speaker == Speaker::user && !spoken)
    part.fail("the user speaks, but the assistant's turn is due",
              "Join it with the message before it, or leave it out");
  if (message.speaker != Speaker::user && spoken)
    part.fail("a message of the assistant or a summary follows the assistant's own",
              "Between them stands a message of the user or of a tool");
  if (message.speaker == Speaker::summarizer && last.speaker == Speaker::summarizer)
    part.fail("a summary follows another one", "Leave one of them out");
  if (message.speaker == Speaker::summarizer && message.trained && begins)
    part.fail("the summary has no history that it could sum up",
              "Give the messages that it sums up, or the summary the \"weight\": 0");
}

}  // namespace dualagent::detail
