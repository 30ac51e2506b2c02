#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "dualagent/core/error.hpp"
#include "dualagent/text/call_format.hpp"
#include "dualagent/text/json_text.hpp"

/// Calls that are JSON objects with a name and an object of arguments, whatever stands around them.
namespace dualagent {

/// A call read from JSON, or what is wrong.
struct JsonCall {
  ToolCall call = {};
  std::size_t end = 0;     ///< one past the object
  std::string fault = {};  ///< empty if the call is whole
};

/// Reads `{"name": NAME, ARGUMENTS_KEY: {...}}` at `at`: both members, once each, nothing else.
inline JsonCall read_json_call(std::string_view said, std::size_t at,
                               std::string_view arguments_key) {
  JsonCall read;
  bool named = false;
  std::string_view arguments;
  std::string own_fault;  // of a member whose JSON is fine
  const auto visit = [&](std::string_view key, std::string_view value, std::size_t) {
    const std::string_view bare = key.substr(1, key.size() - 2);
    if (bare == "name" && !named && value.size() > 2 && value.front() == '"') {
      named = true;
      read.call.tool = json_string_text(value);
    } else if (bare == arguments_key && arguments.empty() && value.front() == '{') {
      arguments = value;
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

/// Where an object that looks like a call begins in a text that should hold none, or npos: its
/// first key is "name", "arguments" or "parameters", and the rest of a call's keys follow
/// somewhere.
inline std::size_t find_call_in_text(std::string_view text) {
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

/// Errors: Error if `text` is not UTF-8; `what` and `where` name it.
inline void check_utf8(std::string_view text, const std::string& what, const std::string& where) {
  if (!is_utf8(text)) throw Error(what + " is not valid UTF-8", where);
}

/// Errors: Error if the call has no name or its arguments are not a JSON object; formats check what
/// they write.
inline void check_writable(const ToolCall& call, std::string_view format) {
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

/// `{"name": NAME, ARGUMENTS_KEY: ARGUMENTS}`, the arguments as they are.
/// Errors: as check_writable.
inline std::string write_json_call(const ToolCall& call, std::string_view arguments_key,
                                   std::string_view format) {
  check_writable(call, format);
  return "{\"name\": " + json_literal(call.tool) + ", \"" + std::string(arguments_key) +
         "\": " + call.arguments + "}";
}

/// `{"type": "function", "function": {"name": ..., "description": ..., "parameters": ...}}`, spaced
/// as Python's json.dumps does.
inline std::string tool_spec_json(const ToolSpec& tool) {
  return "{\"type\": \"function\", \"function\": {\"name\": " + json_literal(tool.name) +
         ", \"description\": " + json_literal(tool.description) +
         ", \"parameters\": " + tool.parameters + "}}";
}

}  // namespace dualagent
