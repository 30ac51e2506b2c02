#pragma once

/// Definitions of retool_calls.hpp; see core/compiled.hpp.

#include "dualagent/text/retool_calls.hpp"

namespace dualagent {

DUALAGENT_INLINE std::string RetoolCalls::describe_tools(std::span<const ToolSpec> tools) const {
  if (tools.empty()) return {};
  return "You may write python code between <code> and </code>. It is run, and its output is "
         "given to you between <interpreter> and </interpreter>. Give the final answer as "
         "\\boxed{answer}.";
}

DUALAGENT_INLINE std::string_view RetoolCalls::unwrapped(std::string_view body) {
  const std::string_view code = trimmed(body);
  const std::size_t open = opened_fence(code);
  if (open == 0 || code.size() < open + 4 || !code.ends_with("\n```"))
    return without_newlines(body);
  return code.substr(open, code.size() - open - 4);
}

DUALAGENT_INLINE std::size_t RetoolCalls::opened_fence(std::string_view text) {
  constexpr std::string_view kFence = "```python";
  if (!text.starts_with(kFence)) return 0;
  const std::size_t end = text.find_first_not_of(" \t\r", kFence.size());
  return end != std::string_view::npos && text[end] == '\n' ? end + 1 : 0;
}

DUALAGENT_INLINE CallStep RetoolCalls::next_call(std::string_view said, std::size_t at) const {
  for (; at < said.size(); ++at) {
    if (said[at] == '<' && said.substr(at).starts_with(brackets[0].open)) return tagged(said, at);
    const std::size_t open = said[at] == '`' ? opened_fence(said.substr(at)) : 0;
    if (open > 0) return fenced(said, at, at + open);
  }
  return {};
}

DUALAGENT_INLINE CallStep RetoolCalls::tagged(std::string_view said, std::size_t begin) const {
  const auto [open, close] = brackets[0];
  const std::size_t body = begin + open.size(), end = said.find(close, body);
  if (end == std::string_view::npos) return unclosed(said, begin, "</code>");
  return closed(begin, unwrapped(said.substr(body, end - body)), end + close.size());
}

DUALAGENT_INLINE CallStep RetoolCalls::fenced(std::string_view said, std::size_t begin,
                                              std::size_t body) const {
  const std::size_t end = said.find("\n```", body - 1);
  if (end == std::string_view::npos) return unclosed(said, begin, "``` at the start of a line");
  return closed(begin, end < body ? "" : said.substr(body, end - body), end + 4);
}

DUALAGENT_INLINE CallStep RetoolCalls::closed(std::size_t begin, std::string_view code,
                                              std::size_t end) const {
  if (!is_utf8(code))
    return {.kind = CallStep::Kind::broken,
            .begin = begin,
            .fault = "the code at byte " + std::to_string(begin) + " is not valid UTF-8"};
  return {.kind = CallStep::Kind::closed,
          .begin = begin,
          .end = end,
          .call = {tool, "{" + json_literal(argument) + ": " + json_literal(code) + "}"}};
}

DUALAGENT_INLINE std::string RetoolCalls::render_call(const ToolCall& call) const {
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

DUALAGENT_INLINE Turn RetoolCalls::read_answer(std::string_view said) {
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

}  // namespace dualagent
