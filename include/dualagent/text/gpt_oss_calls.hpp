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

#include "dualagent/core/compiled.hpp"
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

  Turn parse(std::string_view said) const;

  std::optional<std::size_t> call_end(std::string_view said) const;

  /// Errors: Error for a tool's name with white space or '<'.
  std::string render_calls(std::span<const ToolCall> calls) const;

  /// What stands between `<|message|>` and `<|end|>` of the tool's message: a JSON string.
  std::string render_result(const ToolCall&, std::string_view text) const {
    return json_literal(text);
  }

  std::string describe_tools(std::span<const ToolSpec> tools) const;

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
  static std::string_view word_after(std::string_view header, std::string_view key);

  static Message next_message(std::string_view said, std::size_t at);

  static Message plain_message(std::string_view said, std::size_t body, std::string_view channel);

  static Message call_message(std::string_view said, std::size_t body, std::string_view channel,
                              std::string_view tool);
};
static_assert(CallFormat<GptOssCalls>);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/text/gpt_oss_calls.inl"
#endif
