#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "dualagent/core/json.hpp"
#include "dualagent/text/call_format.hpp"
#include "dualagent/text/json_call.hpp"
#include "dualagent/text/json_kinds.hpp"

namespace dualagent {

/// The calls of Qwen3-Coder, Qwen 3.5 and 3.6: any text, then one or more of
///
///   <tool_call>
///   <function=add>
///   <parameter=x>
///   1
///   </parameter>
///   </function>
///   </tool_call>
///
/// A value has no quotes, so its type is not in the text. It is the JSON value that it spells, if
/// the parameter's schema admits a value of that type, else a text if it admits one; where it
/// admits texts alone, what is said is the text. True, FALSE, None and their like are read as
/// Python's, which these models write. One newline at each end of a value belongs to the format. A
/// parameter ends at its </parameter>; a <parameter= before that is a fault, not part of the value.
/// A turn without a call is the answer, unless tags of a call stand in it.
/// Source: the chat templates of Qwen3-Coder and Qwen3.6.
/// Example: QwenCoderCalls::of(box.specs()).
struct QwenCoderCalls {
  /// By tool and parameter, the types that the parameter's schema admits; any where none is said.
  std::map<std::pair<std::string, std::string>, JsonKinds> kinds = {};

  static constexpr std::array brackets{CallBrackets{"<tool_call>", "</tool_call>"}};
  static constexpr std::array<std::string_view, 4> markers{"<tool_call>", "</tool_call>",
                                                           "<tool_response>", "</tool_response>"};
  static constexpr ResultPlace result_place = ResultPlace::own_message;
  static constexpr std::string_view before_calls = "\n\n";

  /// Errors: Error if a tool's schema is not a JSON object.
  static QwenCoderCalls of(std::span<const ToolSpec> tools) {
    QwenCoderCalls format;
    for (const ToolSpec& tool : tools) {
      const std::string where = "schema of tool '" + printable(tool.name) + "'";
      const std::string remedy = "Set ToolSpec::parameters to the JSON schema of an object";
      const nlohmann::json schema = parse_json(tool.parameters, where, remedy);
      if (!schema.is_object()) throw Error("the schema is not a JSON object", where, remedy);
      const nlohmann::json properties = schema.value("properties", nlohmann::json::object());
      for (const auto& [name, property] : properties.items())
        format.kinds[{tool.name, name}] = admitted_kinds(property, schema);
    }
    return format;
  }

  Turn parse(std::string_view said) const {
    return read_calls(said, std::bind_front(&QwenCoderCalls::next_call, this), read_answer);
  }

  std::optional<std::size_t> call_end(std::string_view said) const {
    return end_of_first_call(said, std::bind_front(&QwenCoderCalls::next_call, this));
  }

  std::string render_calls(std::span<const ToolCall> calls) const {
    return render_lines(calls, [this](const ToolCall& call) { return render_call(call); });
  }

  std::string render_result(const ToolCall&, std::string_view text) const {
    return "<tool_response>\n" + std::string(text) + "\n</tool_response>";
  }

  /// The words of Qwen3.6's chat template.
  std::string describe_tools(std::span<const ToolSpec> tools) const {
    if (tools.empty()) return {};
    std::string text = "# Tools\n\nYou have access to the following functions:\n\n<tools>";
    for (const ToolSpec& tool : tools) text += "\n" + tool_spec_json(tool);
    return text +
           "\n</tools>\n\nIf you choose to call a function ONLY reply in the following format with "
           "NO suffix:\n\n<tool_call>\n<function=example_function_name>\n"
           "<parameter=example_parameter_1>\nvalue_1\n</parameter>\n"
           "<parameter=example_parameter_2>\nThis is the value for the second parameter\nthat can "
           "span\nmultiple lines\n</parameter>\n</function>\n</tool_call>\n\n<IMPORTANT>\n"
           "Reminder:\n- Function calls MUST follow the specified format: an inner "
           "<function=...></function> block must be nested within <tool_call></tool_call> XML "
           "tags\n- Required parameters MUST be specified\n- You may provide optional reasoning "
           "for your function call in natural language BEFORE the function call, but NOT after\n"
           "- If there is no function call available, answer the question like normal with your "
           "current knowledge and do not tell the user about function calls\n</IMPORTANT>";
  }

 private:
  static constexpr std::string_view kFunction = "<function=", kFunctionEnd = "</function>";
  static constexpr std::string_view kParameter = "<parameter=", kParameterEnd = "</parameter>";

  static constexpr const char* kUnopened = "the <tool_call> of a call is missing";

  static bool is_name(std::string_view name) {
    return !name.empty() && name.find_first_of("<>\n") == std::string_view::npos;
  }

  /// Reads `TAGname>` at `at` and moves past it; nothing if it is not there.
  static std::optional<std::string_view> read_tag(std::string_view said, std::size_t& at,
                                                  std::string_view tag) {
    if (said.substr(at, tag.size()) != tag) return std::nullopt;
    const std::size_t begin = at + tag.size(), end = said.find_first_of("<>\n", begin);
    if (end == std::string_view::npos || end == begin || said[end] != '>') return std::nullopt;
    at = end + 1;
    return said.substr(begin, end - begin);
  }

  static std::string_view without_newlines(std::string_view value) {
    if (value.starts_with('\n')) value.remove_prefix(1);
    if (value.ends_with('\n')) value.remove_suffix(1);
    return value;
  }

  /// The JSON value that a text spells, as JSON or as a word of Python; empty if none.
  static std::string_view spelled_json(std::string_view value) {
    const std::string_view text = trimmed(value);
    for (const std::string_view word : {"true", "false", "null", "none"})
      if (equal_without_case(text, word)) return word == "none" ? "null" : word;
    const JsonEnd end = skip_json_value(text, 0);
    return end.whole() && end.at == text.size() ? text : std::string_view{};
  }

  static bool equal_without_case(std::string_view a, std::string_view b) {
    const auto small = [](char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : int{c}; };
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [&](char x, char y) { return small(x) == small(y); });
  }

  JsonKinds kinds_of(const std::string& tool, const std::string& parameter) const {
    const auto found = kinds.find({tool, parameter});
    return found == kinds.end() ? JsonKinds::any : found->second;
  }

  /// What is said of a parameter that admits `kinds`, as JSON.
  static std::string read_value(JsonKinds kinds, std::string_view value) {
    const std::string_view json = spelled_json(value);
    const JsonKinds kind = json.empty() ? JsonKinds::text : kind_of_json(json.front());
    const bool text_alone = (kinds | JsonKinds::null) == (JsonKinds::text | JsonKinds::null);
    const bool is_text = kind == JsonKinds::text
                             ? text_alone || json.empty()
                             : !overlap(kinds, kind) && overlap(kinds, JsonKinds::text);
    return is_text ? json_literal(value) : std::string(json);
  }

  CallStep next_call(std::string_view said, std::size_t from) const {
    const auto [open, close] = brackets[0];
    const std::size_t begin = said.find(open, from);
    if (begin == std::string_view::npos) return {};
    CallStep step{.kind = CallStep::Kind::broken, .begin = begin};
    const std::size_t stray = said.substr(from, begin - from).find(kFunction);
    if (stray != std::string_view::npos)
      return step.fault = kUnopened + place_in(said, from + stray), step;
    std::size_t at = skip_json_space(said, begin + open.size());
    const auto fault = [&](const std::string& what) {
      return step.fault = what + place_in(said, at), step;
    };
    const auto name = read_tag(said, at, kFunction);
    if (!name) return fault("<function=NAME> is expected");
    step.call.tool = *name;
    if (const std::string wrong = read_parameters(said, at, step.call); !wrong.empty())
      return fault(wrong);
    for (const std::string_view tag : {kFunctionEnd, close}) {
      at = skip_json_space(said, at);
      if (said.substr(at, tag.size()) != tag) return fault(std::string(tag) + " is expected");
      at += tag.size();
    }
    step.kind = CallStep::Kind::closed;
    step.end = at;
    return step;
  }

  /// Reads the parameters from `at` on into the call's arguments; returns what is wrong at `at`.
  std::string read_parameters(std::string_view said, std::size_t& at, ToolCall& call) const {
    std::set<std::string_view> seen;
    std::string arguments = "{";
    for (at = skip_json_space(said, at); said.substr(at, kFunctionEnd.size()) != kFunctionEnd;
         at = skip_json_space(said, at)) {
      const std::size_t tag = at;
      const auto key = read_tag(said, at, kParameter);
      if (!key) return "<parameter=NAME> or </function> is expected";
      const std::size_t end = said.find(kParameterEnd, at);
      const std::size_t next = said.substr(at, end - at).find(kParameter);
      if (end == std::string_view::npos || next != std::string_view::npos)
        return at = tag, "</parameter> of '" + printable(*key) + "' is missing in what begins";
      const std::string_view value = without_newlines(said.substr(at, end - at));
      for (const std::string_view text : {*key, value})
        if (!is_utf8(text)) return at = tag, "a parameter is not valid UTF-8";
      if (!seen.insert(*key).second)
        return at = tag, "the parameter '" + printable(*key) + "' is given twice";
      arguments += (arguments.size() == 1 ? "" : ", ") + json_literal(*key) + ": ";
      arguments += read_value(kinds_of(call.tool, std::string(*key)), value);
      at = end + kParameterEnd.size();
    }
    call.arguments = std::move(arguments) + "}";
    return {};
  }

  std::string render_call(const ToolCall& call) const {
    check_writable(call, "QwenCoderCalls");
    const std::string where = "QwenCoderCalls, call of '" + printable(call.tool) + "'";
    if (!is_name(call.tool)) throw Error("a tool's name holds '<', '>' or a newline", where);
    std::string text = "<tool_call>\n<function=" + call.tool + ">\n";
    std::set<std::string> seen;
    walk_json_object(call.arguments, 0, [&](std::string_view key, std::string_view value, auto) {
      const std::string name = json_string_text(key);
      if (!is_name(name) || !seen.insert(name).second)
        throw Error("the parameter '" + printable(name) + "' cannot be written", where,
                    "Name every parameter once, without '<', '>' and newlines");
      text += "<parameter=" + name + ">\n" +
              render_value(kinds_of(call.tool, name), name, value, where) + "\n</parameter>\n";
      return static_cast<const char*>(nullptr);
    });
    return text + "</function>\n</tool_call>";
  }

  /// The first way of writing a value that is read back as it.
  static std::string render_value(JsonKinds kinds, std::string_view name, std::string_view value,
                                  const std::string& where) {
    if (value.front() == '"') {
      std::string text = json_string_text(value);
      const bool tags = text.find(kParameter) != text.npos || text.find(kParameterEnd) != text.npos;
      if (!tags && read_value(kinds, text) == json_literal(text)) return text;
    }
    std::string json;  // '<' stands inside strings only
    for (const char c : value) c == '<' ? void(json += "\\u003c") : void(json += c);
    if (read_value(kinds, json) != json)
      throw Error("the parameter '" + printable(name) + "' cannot be written: " +
                      (value.front() == '"' ? "its text holds a tag of a parameter or spells null"
                                            : "its schema wants a text"),
                  where, "Give it a value that its schema admits and that has no such tag");
    return json;
  }

  static Turn read_answer(std::string_view said) {
    for (const std::string_view tag : {kFunction, kParameter, brackets[0].close})
      if (const std::size_t stray = said.find(tag); stray != std::string_view::npos)
        return MalformedTurn{kUnopened + place_in(said, stray)};
    return answer_of_plain_text(said);
  }
};
static_assert(CallFormat<QwenCoderCalls>);

}  // namespace dualagent
