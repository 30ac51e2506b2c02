#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/text/call_format.hpp"
#include "dualagent/text/json_call.hpp"

namespace dualagent {

/// The assistant message of the OpenAI chat API, as JSON:
///
///   {"role": "assistant", "content": null, "tool_calls": [{"id": "call_1", "type": "function",
///    "function": {"name": "add", "arguments": "{\"x\": 1}"}}]}
///
/// `arguments` is a string that holds JSON; an empty one means no arguments. A message without
/// tool_calls is the answer, which is its content; so is a text that does not begin with '{' and in
/// which no call stands. Keys of the message besides content and tool_calls, and of a call besides
/// id and function, are ignored; function_call, the form before tool_calls, is refused.
/// Source: the OpenAI API reference, chat completions.
struct OpenAiCalls {
  static constexpr std::array brackets{CallBrackets{"{", "}"}};
  static constexpr std::array<std::string_view, 0> markers{};
  static constexpr ResultPlace result_place = ResultPlace::own_message;

  Turn parse(std::string_view said) const;

  std::optional<std::size_t> call_end(std::string_view said) const;

  /// A call without id is given "call_1", "call_2", ... by its place.
  std::string render_calls(std::span<const ToolCall> calls) const;

  std::string render_result(const ToolCall& call, std::string_view text) const {
    return "{\"role\": \"tool\", \"tool_call_id\": " + json_literal(call.id) +
           ", \"content\": " + json_literal(text) + "}";
  }

  std::string describe_tools(std::span<const ToolSpec> tools) const;

 private:
  struct Message {
    std::vector<ToolCall> calls = {};
    std::string content = {};
    std::size_t end = 0;
    std::string fault = {};
  };

  static Turn read_text(std::string_view said);

  static Message read_message(std::string_view said, std::size_t at);

  /// Whether a key, as it is written, means `name`: its characters may be escaped.
  static bool is_key(std::string_view key, std::string_view name);

  /// The calls of the array that begins at `at`, whose JSON is known to be whole.
  static std::string read_array(std::string_view said, std::size_t at,
                                std::vector<ToolCall>& calls);

  /// One call at `at`, which is moved past it; returns what is wrong.
  static std::string read_call(std::string_view said, std::size_t& at, ToolCall& call);

  static std::string read_function(std::string_view said, std::size_t at, ToolCall& call);
};
static_assert(CallFormat<OpenAiCalls>);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/text/openai_calls.inl"
#endif
