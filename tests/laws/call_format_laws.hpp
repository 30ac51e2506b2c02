#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/core/random.hpp"
#include "dualagent/text/call_format.hpp"

/// What every CallFormat promises; run it on your own.
namespace laws {

using Violations = std::vector<std::string>;

/// What a format under test can write.
struct FormatReach {
  std::size_t max_calls = 3;            ///< in one turn
  std::vector<std::string> tools = {};  ///< names to draw; empty: any text is a name
  bool any_arguments = true;            ///< else only {"code": TEXT}
  std::vector<std::string> ids = {};    ///< of calls, to draw; empty: any text is an id
};

namespace detail {

/// Words that parsers trip over: every tag and bracket of every format, escapes, other scripts.
inline const std::vector<std::string>& hostile_words() {
  static const std::vector<std::string> words{"",
                                              "a",
                                              " ",
                                              "\n",
                                              "\"",
                                              "\\",
                                              "{",
                                              "}",
                                              "[",
                                              "]",
                                              ",",
                                              ":",
                                              "<tool_call>",
                                              "</tool_call>",
                                              "</function>",
                                              "<function=",
                                              "<parameter=x>",
                                              "</parameter>",
                                              "\n</parameter>\n",
                                              "<arg_key>x</arg_key>",
                                              "<arg_value>",
                                              "</arg_value>",
                                              "[TOOL_CALLS]",
                                              "[CALL_ID]",
                                              "[ARGS]",
                                              "```",
                                              "```python\n",
                                              "<code>",
                                              "</code>",
                                              "\\boxed{",
                                              "<|im_end|>",
                                              "<|call|>",
                                              "<|message|>",
                                              "<|end|>",
                                              "<|channel|>",
                                              "<|python_tag|>",
                                              "<think>",
                                              "</think>",
                                              "null",
                                              "true",
                                              "-1e5",
                                              "\xC3\xBC",
                                              "\xE2\x82\xAC",
                                              "\xF0\x9F\x98\x80",
                                              std::string(1, '\0'),
                                              "\x1F",
                                              "\t",
                                              "</interpreter>",
                                              "\\u0041",
                                              "\\n",
                                              "\"}"};
  return words;
}

/// Draws of one case, each with a counter of its own.
class Draws {
 public:
  explicit Draws(dualagent::RandomStream stream) : stream_(stream) {}
  std::size_t below(std::size_t end) { return stream_.below(counter_++, end); }
  std::string text() {
    std::string made;
    for (std::size_t words = below(6); words > 0; --words)
      made += hostile_words()[below(hostile_words().size())];
    return made;
  }
  nlohmann::json value(std::size_t depth = 0) {
    switch (below(depth < 3 ? 8 : 6)) {
      case 0:
        return static_cast<int>(below(2000)) - 1000;
      case 1:
        return static_cast<double>(below(1000)) / 8.0;
      case 2:
        return below(2) == 0;
      case 3:
        return nullptr;
      case 6: {
        nlohmann::json array = nlohmann::json::array();
        for (std::size_t i = below(4); i > 0; --i) array.push_back(value(depth + 1));
        return array;
      }
      case 7: {
        nlohmann::json object = nlohmann::json::object();
        for (std::size_t i = below(4); i > 0; --i) object[text()] = value(depth + 1);
        return object;
      }
      default:
        return text();
    }
  }
  dualagent::ToolCall call(const FormatReach& reach) {
    nlohmann::json arguments = nlohmann::json::object();
    if (!reach.any_arguments)
      arguments["code"] = text();
    else
      for (std::size_t i = below(4); i > 0; --i)
        arguments[below(2) == 0 ? text() : "key_" + std::to_string(i)] = value();
    std::string name = reach.tools.empty() ? "tool_" + std::to_string(below(9)) + text()
                                           : reach.tools[below(reach.tools.size())];
    std::string id = reach.ids.empty() ? "call_" + text() : reach.ids[below(reach.ids.size())];
    return {std::move(name), arguments.dump(below(4) == 0 ? 2 : -1), std::move(id)};
  }

 private:
  dualagent::RandomStream stream_;
  std::uint64_t counter_ = 0;
};

inline bool same_calls(std::span<const dualagent::ToolCall> wrote,
                       const std::vector<dualagent::ToolCall>& read) {
  if (wrote.size() != read.size()) return false;
  for (std::size_t i = 0; i < read.size(); ++i)
    if (wrote[i].tool != read[i].tool ||
        (!wrote[i].id.empty() && !read[i].id.empty() && wrote[i].id != read[i].id) ||
        nlohmann::json::parse(wrote[i].arguments) != nlohmann::json::parse(read[i].arguments))
      return false;
  return true;
}

template <class Format>
void check_any_bytes(const Format& format, std::string_view said, Violations& found) try {
  const dualagent::Turn turn = format.parse(said);
  if (const auto* malformed = std::get_if<dualagent::MalformedTurn>(&turn)) {
    if (malformed->reason.empty()) found.push_back("a malformed turn has no reason");
  } else if (const auto* calls = std::get_if<std::vector<dualagent::ToolCall>>(&turn)) {
    if (calls->empty()) found.push_back("a turn of no calls");
    for (const dualagent::ToolCall& call : *calls)
      if (!nlohmann::json::parse(call.arguments).is_object())
        found.push_back("arguments are not an object: " + call.arguments);
    if (!format.call_end(said)) found.push_back("a turn has calls, but none has closed");
  }
  const auto end = format.call_end(said);
  if (end && *end > said.size()) found.push_back("a call ends outside the turn");
  format.render_result({}, said);
} catch (const std::exception& error) {
  found.push_back("bytes make the format throw: " + std::string(error.what()));
}

/// A call closes with its last byte, not before, and at a closing bracket of the format.
template <class Format>
void check_closing(const Format& format, const std::string& said, Violations& found) {
  for (std::size_t size = 0; size < said.size(); ++size)
    if (format.call_end(std::string_view(said).substr(0, size)))
      return found.push_back("a call closes before its end: " + said.substr(0, size));
  if (format.call_end(said) != said.size()) found.push_back("a call does not close: " + said);
  bool bracket = false;
  for (const dualagent::CallBrackets& call : format.brackets)
    bracket = bracket || said.ends_with(call.close);
  if (!bracket) found.push_back("a call does not end with a closing bracket: " + said);
}

/// The text with a few bytes replaced, removed or repeated.
inline std::string mutated(std::string text, Draws& draws) {
  for (std::size_t times = 1 + draws.below(3); times > 0 && !text.empty(); --times) {
    const std::size_t at = draws.below(text.size());
    const std::string& word = hostile_words()[draws.below(hostile_words().size())];
    const std::size_t size = draws.below(2) == 0 ? 0 : 1 + draws.below(8);
    text.replace(at, size, word);
  }
  return text;
}

}  // namespace detail

/// parse(render_calls(calls)) gives the calls back, a call closes where it ends, and any bytes are
/// read without an exception. One sentence per violation. `written` receives how many of the
/// `cases` the format could write.
template <dualagent::CallFormat Format>
Violations of_call_format(const Format& format, const FormatReach& reach, std::size_t cases,
                          std::size_t& written) {
  Violations found;
  written = 0;
  const auto random = dualagent::RandomStream::from_seed(29);
  for (std::size_t i = 0; i < cases && found.size() < 5; ++i) {
    detail::Draws draws(random.child(i));
    std::vector<dualagent::ToolCall> calls;
    for (std::size_t n = 1 + draws.below(reach.max_calls); n > 0; --n)
      calls.push_back(draws.call(reach));
    std::string said;
    try {
      said = format.render_calls(calls);
    } catch (const dualagent::Error& error) {
      if (*error.what() == '\0') found.push_back("a refused call gets no reason");
      detail::check_any_bytes(format, draws.text() + draws.text(), found);
      continue;
    }
    ++written;
    const dualagent::Turn turn = format.parse(said);
    if (const auto* read = std::get_if<std::vector<dualagent::ToolCall>>(&turn);
        read == nullptr || !detail::same_calls(calls, *read))
      found.push_back("calls are read as something else: " + said +
                      (std::holds_alternative<dualagent::MalformedTurn>(turn)
                           ? " / " + std::get<dualagent::MalformedTurn>(turn).reason
                           : ""));
    if (i % 8 == 0 && calls.size() == 1) detail::check_closing(format, said, found);
    for (int times = 0; times < 4; ++times)
      detail::check_any_bytes(format, detail::mutated(said, draws), found);
  }
  return found;
}

}  // namespace laws
