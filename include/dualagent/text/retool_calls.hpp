#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

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

  std::string describe_tools(std::span<const ToolSpec> tools) const {
    if (tools.empty()) return {};
    return "You may write python code between <code> and </code>. It is run, and its output is "
           "given to you between <interpreter> and </interpreter>. Give the final answer as "
           "\\boxed{answer}.";
  }

 private:
  static std::string_view without_newlines(std::string_view code) {
    if (code.starts_with('\n')) code.remove_prefix(1);
    if (code.ends_with('\n')) code.remove_suffix(1);
    return code;
  }

  /// The code between the tags, without the fence that some models write around it.
  static std::string_view unwrapped(std::string_view body) {
    const std::string_view code = trimmed(body);
    const std::size_t open = opened_fence(code);
    if (open == 0 || code.size() < open + 4 || !code.ends_with("\n```"))
      return without_newlines(body);
    return code.substr(open, code.size() - open - 4);
  }

  /// Bytes of the line "```python" that a text begins with; 0 if it does not.
  static std::size_t opened_fence(std::string_view text) {
    constexpr std::string_view kFence = "```python";
    if (!text.starts_with(kFence)) return 0;
    const std::size_t end = text.find_first_not_of(" \t\r", kFence.size());
    return end != std::string_view::npos && text[end] == '\n' ? end + 1 : 0;
  }

  CallStep next_call(std::string_view said, std::size_t at) const {
    for (; at < said.size(); ++at) {
      if (said[at] == '<' && said.substr(at).starts_with(brackets[0].open)) return tagged(said, at);
      const std::size_t open = said[at] == '`' ? opened_fence(said.substr(at)) : 0;
      if (open > 0) return fenced(said, at, at + open);
    }
    return {};
  }

  CallStep tagged(std::string_view said, std::size_t begin) const {
    const auto [open, close] = brackets[0];
    const std::size_t body = begin + open.size(), end = said.find(close, body);
    if (end == std::string_view::npos) return unclosed(said, begin, "</code>");
    return closed(begin, unwrapped(said.substr(body, end - body)), end + close.size());
  }

  CallStep fenced(std::string_view said, std::size_t begin, std::size_t body) const {
    const std::size_t end = said.find("\n```", body - 1);
    if (end == std::string_view::npos) return unclosed(said, begin, "``` at the start of a line");
    return closed(begin, end < body ? "" : said.substr(body, end - body), end + 4);
  }

  CallStep closed(std::size_t begin, std::string_view code, std::size_t end) const {
    if (!is_utf8(code))
      return {.kind = CallStep::Kind::broken,
              .begin = begin,
              .fault = "the code at byte " + std::to_string(begin) + " is not valid UTF-8"};
    return {.kind = CallStep::Kind::closed,
            .begin = begin,
            .end = end,
            .call = {tool, "{" + json_literal(argument) + ": " + json_literal(code) + "}"}};
  }

  static CallStep unclosed(std::string_view said, std::size_t begin, const std::string& close) {
    return {.kind = CallStep::Kind::broken,
            .begin = begin,
            .fault = close + " is missing for the code" + place_in(said, begin)};
  }

  std::string render_call(const ToolCall& call) const {
    check_writable(call, "RetoolCalls");
    const std::string where = "RetoolCalls, call of '" + printable(call.tool) + "'";
    std::optional<std::string> code;
    bool other = call.tool != tool;
    walk_json_object(call.arguments, 0, [&](std::string_view key, std::string_view value, auto) {
      other = other || code || json_string_text(key) != argument || value.front() != '"';
      if (!other) code = json_string_text(value);
      return static_cast<const char*>(nullptr);
    });
    if (other || !code)
      throw Error("only a call of '" + tool + "' with the text '" + argument + "' can be written",
                  where);
    const std::string body = "\n" + *code + "\n";
    if (code->find(brackets[0].close) != std::string::npos || unwrapped(body) != *code)
      throw Error("the code holds </code> or stands in a fence, and would be read as other code",
                  where);
    return "<code>" + body + "</code>";
  }

  /// What stands in the last \boxed{...}, braces balanced.
  static Turn read_answer(std::string_view said) {
    constexpr std::string_view kBox = "\\boxed{";
    if (trimmed(said).empty()) return MalformedTurn{"nothing was said"};
    const std::size_t box = said.rfind(kBox);
    if (box == std::string_view::npos)
      return MalformedTurn{"neither <code>...</code> nor \\boxed{...} was said"};
    const std::size_t begin = box + kBox.size();
    std::size_t open = 1;
    for (std::size_t at = begin; at < said.size(); ++at) {
      if (said[at] == '\\') {
        ++at;
      } else if (said[at] == '{') {
        ++open;
      } else if (said[at] == '}' && --open == 0) {
        return Answer{std::string(trimmed(said.substr(begin, at - begin)))};
      }
    }
    return MalformedTurn{"\\boxed{ is never closed" + place_in(said, box)};
  }
};
static_assert(CallFormat<RetoolCalls>);

}  // namespace dualagent
