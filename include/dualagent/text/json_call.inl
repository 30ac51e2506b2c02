#pragma once

/// Definitions of json_call.hpp; see core/compiled.hpp.

#include "dualagent/text/json_call.hpp"

namespace dualagent {

DUALAGENT_INLINE JsonCall read_json_call(std::string_view said, std::size_t at,
                                         std::string_view arguments_key, std::string_view id_key) {
  JsonCall read;
  bool named = false, has_id = false;
  std::string_view arguments;
  std::string own_fault;  // of a member whose JSON is fine
  const auto visit = [&](std::string_view key, std::string_view value, std::size_t) {
    const std::string_view bare = key.substr(1, key.size() - 2);
    if (bare == "name" && !named && value.size() > 2 && value.front() == '"') {
      named = true;
      read.call.tool = json_string_text(value);
    } else if (bare == arguments_key && arguments.empty() && value.front() == '{') {
      arguments = value;
    } else if (!id_key.empty() && bare == id_key) {
      if (std::exchange(has_id, true))
        own_fault = "\"" + std::string(bare) + "\" is given twice";
      else if (value.front() != '"')
        own_fault = "\"" + std::string(bare) + "\" must be a text";
      else
        read.call.id = json_string_text(value);
    } else if (bare == "name") {
      own_fault = named ? "\"name\" is given twice" : "\"name\" must be the name of a tool";
    } else if (bare == arguments_key) {
      own_fault = "\"" + std::string(bare) + "\" " +
                  (arguments.empty() ? "must be a JSON object" : "is given twice");
    } else {
      own_fault = "unknown key " + printable(key);
    }
    return own_fault.empty() ? nullptr : own_fault.c_str();
  };
  const JsonEnd end = walk_json_object(said, at, visit);
  read.end = end.at;
  if (!end.whole()) {
    read.fault = end.fault + place_in(said, end.at);
  } else if (!named || arguments.empty()) {
    read.fault = "the key \"" + std::string(named ? arguments_key : "name") + "\" is missing" +
                 place_in(said, at);
  }
  read.call.arguments = arguments;
  return read;
}

DUALAGENT_INLINE std::size_t find_call_in_text(std::string_view text) {
  const auto last = [&](std::string_view key) { return text.rfind(key) + 1; };  // 0: nowhere
  const std::size_t name = last("\"name\""),
                    arguments = std::max(last("\"arguments\""), last("\"parameters\""));
  for (std::size_t open = text.find('{'); open < std::min(name, arguments);
       open = text.find('{', open + 1)) {
    const std::string_view first = text.substr(skip_json_space(text, open + 1));
    for (const std::string_view key : {"\"name\"", "\"arguments\"", "\"parameters\""})
      if (first.starts_with(key)) return open;
  }
  return std::string_view::npos;
}

DUALAGENT_INLINE void check_utf8(std::string_view text, const std::string& what,
                                 const std::string& where) {
  if (!is_utf8(text)) throw Error(what + " is not valid UTF-8", where);
}

DUALAGENT_INLINE void check_writable(const ToolCall& call, std::string_view format) {
  const std::string where = std::string(format) + ", call of '" + printable(call.tool) + "'";
  if (call.tool.empty()) throw Error("a call has no tool name", where);
  check_utf8(call.tool, "a tool's name", where);
  check_utf8(call.id, "a call's id", where);
  const bool object = !call.arguments.empty() && call.arguments.front() == '{';
  const JsonEnd end =
      object ? skip_json_value(call.arguments, 0) : JsonEnd{0, "a JSON object is expected"};
  if (!end.whole() || end.at != call.arguments.size())
    throw Error("the arguments of a call are not a JSON object: " +
                    std::string(end.whole() ? "text follows it" : end.fault) +
                    place_in(call.arguments, end.at),
                where, "Give one JSON object and nothing around it");
}

DUALAGENT_INLINE std::string write_json_call(const ToolCall& call, std::string_view arguments_key,
                                             std::string_view format) {
  check_writable(call, format);
  return "{\"name\": " + json_literal(call.tool) + ", \"" + std::string(arguments_key) +
         "\": " + call.arguments + "}";
}

DUALAGENT_INLINE std::string tool_spec_json(const ToolSpec& tool) {
  return "{\"type\": \"function\", \"function\": {\"name\": " + json_literal(tool.name) +
         ", \"description\": " + json_literal(tool.description) +
         ", \"parameters\": " + tool.parameters + "}}";
}

DUALAGENT_INLINE std::string tool_signatures(std::span<const ToolSpec> tools) {
  std::string text =
      "# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou are "
      "provided with function signatures within <tools></tools> XML tags:\n<tools>";
  for (const ToolSpec& tool : tools) text += "\n" + tool_spec_json(tool);
  return text + "\n</tools>";
}

}  // namespace dualagent
