#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "dualagent/core/compiled.hpp"
#include "dualagent/text/call_format.hpp"
#include "dualagent/text/json_call.hpp"

namespace dualagent {

/// ReTool's code blocks: any text, then `<code>CODE</code>` or a fence "```python"; the result
/// stands in the model's own message as `<interpreter>...</interpreter>`, and the model goes on.
///
/// Blanks may follow "```python". A fence inside <code> tags is taken off; one newline at each end
/// of the code belongs to the format. The answer is what stands in the last \boxed{...}; a turn
/// with neither is malformed. Source: ReTool, arXiv 2504.11536, as its notes give it.
struct RetoolCalls {
  std::string tool = "python";    ///< that runs the code
  std::string argument = "code";  ///< its argument

  static constexpr std::array brackets{CallBrackets{"<code>", "</code>"},
                                       CallBrackets{"```python\n", "```"}};
  static constexpr std::array<std::string_view, 0> markers{};
  static constexpr ResultPlace result_place = ResultPlace::same_message;

  Turn parse(std::string_view said) const {
    return read_calls(said, std::bind_front(&RetoolCalls::next_call, this), read_answer);
  }

  std::optional<std::size_t> call_end(std::string_view said) const {
    return end_of_first_call(said, std::bind_front(&RetoolCalls::next_call, this));
  }

  /// Errors: Error for another tool or argument than this format's, and for code that would not be
  /// read as it is.
  std::string render_calls(std::span<const ToolCall> calls) const {
    return render_lines(calls, [this](const ToolCall& call) { return render_call(call); });
  }

  std::string render_result(const ToolCall&, std::string_view text) const {
    return "\n<interpreter>\n" + std::string(text) + "\n</interpreter>\n";
  }

  std::string describe_tools(std::span<const ToolSpec> tools) const;

 private:
  static std::string_view without_newlines(std::string_view code) {
    if (code.starts_with('\n')) code.remove_prefix(1);
    if (code.ends_with('\n')) code.remove_suffix(1);
    return code;
  }

  /// The code between the tags, without the fence that some models write around it.
  static std::string_view unwrapped(std::string_view body);

  /// Bytes of the line "```python" that a text begins with; 0 if it does not.
  static std::size_t opened_fence(std::string_view text);

  CallStep next_call(std::string_view said, std::size_t at) const;

  CallStep tagged(std::string_view said, std::size_t begin) const;

  CallStep fenced(std::string_view said, std::size_t begin, std::size_t body) const;

  CallStep closed(std::size_t begin, std::string_view code, std::size_t end) const;

  static CallStep unclosed(std::string_view said, std::size_t begin, const std::string& close) {
    return {.kind = CallStep::Kind::broken,
            .begin = begin,
            .fault = close + " is missing for the code" + place_in(said, begin)};
  }

  std::string render_call(const ToolCall& call) const;

  /// What stands in the last \boxed{...}, braces balanced.
  static Turn read_answer(std::string_view said);
};
static_assert(CallFormat<RetoolCalls>);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/text/retool_calls.inl"
#endif
