#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/text/call_format.hpp"
#include "dualagent/text/json_call.hpp"

namespace dualagent {

/// The calls of Llama 3.1 and later: a message that is one JSON object,
///
///   {"name": "add", "parameters": {"x": 1}}
///
/// or `<|python_tag|>` and such an object, or `<|python_tag|>NAME.call(key="value")` of the
/// built-in tools. One call per message. A message that begins with neither is the answer, unless a
/// call stands in it.
/// Source: the chat template of Llama-3.1-8B-Instruct.
struct Llama3Calls {
  static constexpr std::array brackets{CallBrackets{"{", "}"}, CallBrackets{"<|python_tag|>", ")"}};
  static constexpr std::array<std::string_view, 1> markers{"<|python_tag|>"};
  static constexpr ResultPlace result_place = ResultPlace::own_message;

  Turn parse(std::string_view said) const;

  std::optional<std::size_t> call_end(std::string_view said) const {
    return end_of_first_call(said,
                             [](std::string_view text, std::size_t) { return first_call(text); });
  }

  /// Errors: Error for more than one call.
  std::string render_calls(std::span<const ToolCall> calls) const;

  /// A JSON string, as the model's own template writes a result that is text.
  std::string render_result(const ToolCall&, std::string_view text) const {
    return json_literal(text);
  }

  /// The words of the model's own template, for the first user message.
  std::string describe_tools(std::span<const ToolSpec> tools) const;

 private:
  static Turn read_answer(std::string_view said);

  static CallStep first_call(std::string_view said);

  /// `NAME.call(key="value", ...)` at `at`; a value is any JSON.
  static void read_built_in(std::string_view said, std::size_t at, CallStep& step);

  static std::size_t skip_name(std::string_view said, std::size_t at);
};
static_assert(CallFormat<Llama3Calls>);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/text/llama3_calls.inl"
#endif
