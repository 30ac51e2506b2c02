#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/trim.hpp"
#include "dualagent/text/json_parts.hpp"
#include "dualagent/text/qwen_coder_calls.hpp"

namespace dualagent {

/// The calls of Qwen3-Coder: QwenCoderCalls, with tools described in tags as its own chat template
/// does, each keyword of a schema a tag of its own.
///
/// A keyword's value is written as Python writes it: a text without quotes, True, None, a list or
/// an object as JSON; a list of types as Python's list. Source: the chat template of
/// Qwen3-Coder-30B-A3B-Instruct. Example: Qwen3CoderCalls::of(box.specs()).
struct Qwen3CoderCalls : QwenCoderCalls {
  /// Errors: Error if a tool's schema is not a JSON object.
  static Qwen3CoderCalls of(std::span<const ToolSpec> tools) { return {QwenCoderCalls::of(tools)}; }

  std::string describe_tools(std::span<const ToolSpec> tools) const;

 private:
  static std::string tag(std::string_view name, std::string_view text) {
    const std::string key(name);
    return "\n<" + key + ">" + std::string(text) + "</" + key + ">";
  }

  /// A JSON value as Python's str() writes it; lists and objects as json.dumps does.
  static std::string python_text(std::string_view json);

  static std::string python_types(std::string_view json);

  /// The members of an object, each a tag, without those that are written elsewhere.
  static std::string other_members(std::string_view object,
                                   std::span<const std::string_view> written);

  static std::string describe_parameter(std::string_view name, std::string_view schema);

  static std::string describe_tool(const ToolSpec& tool);
};
static_assert(CallFormat<Qwen3CoderCalls>);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/text/qwen3_coder_calls.inl"
#endif
