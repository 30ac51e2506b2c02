#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "dualagent/core/compiled.hpp"
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

/// Reads `{"name": NAME, ARGUMENTS_KEY: {...}}` at `at`: both members, once each, nothing else but,
/// where an `id_key` is given, that one, a text, which becomes the call's id.
JsonCall read_json_call(std::string_view said, std::size_t at, std::string_view arguments_key,
                        std::string_view id_key = {});

/// Where an object that looks like a call begins in a text that should hold none, or npos: its
/// first key is "name", "arguments" or "parameters", and the rest of a call's keys follow
/// somewhere.
std::size_t find_call_in_text(std::string_view text);

/// Errors: Error if `text` is not UTF-8; `what` and `where` name it.
void check_utf8(std::string_view text, const std::string& what, const std::string& where);

/// Errors: Error if the call has no name or its arguments are not a JSON object; formats check what
/// they write.
void check_writable(const ToolCall& call, std::string_view format);

/// `{"name": NAME, ARGUMENTS_KEY: ARGUMENTS}`, the arguments as they are.
/// Errors: as check_writable.
std::string write_json_call(const ToolCall& call, std::string_view arguments_key,
                            std::string_view format);

/// `{"type": "function", "function": {"name": ..., "description": ..., "parameters": ...}}`, spaced
/// as Python's json.dumps does.
std::string tool_spec_json(const ToolSpec& tool);

/// How the templates of Qwen 2.5, Qwen 3 and GLM-4.5 begin what they say of tools: each tool's
/// tool_spec_json on a line of its own inside <tools>.
std::string tool_signatures(std::span<const ToolSpec> tools);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/text/json_call.inl"
#endif
