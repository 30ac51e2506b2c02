#pragma once

/// Definitions of qwen3_coder_calls.hpp; see core/compiled.hpp.

#include "dualagent/text/qwen3_coder_calls.hpp"

namespace dualagent {

DUALAGENT_INLINE std::string Qwen3CoderCalls::describe_tools(
    std::span<const ToolSpec> tools) const {
  if (tools.empty()) return {};
  std::string text = "# Tools\n\nYou have access to the following tools:\n\n<tools>";
  for (const ToolSpec& tool : tools) text += describe_tool(tool);
  return text +
         "\n</tools>\n\nIf you choose to call a tool ONLY reply in the following format with NO "
         "suffix:\n\n<tool_call>\n<function=example_function_name>\n"
         "<parameter=example_parameter_1>\nvalue_1\n</parameter>\n"
         "<parameter=example_parameter_2>\nvalue_2\n</parameter>\n</function>\n</tool_call>\n\n"
         "<IMPORTANT>\nReminder:\n- Function calls MUST follow the specified format: the tool "
         "calling block MUST begin with an opening <tool_call> tag and end with a closing "
         "</tool_call> tag.\n- Required parameters MUST be specified\n- You may provide optional "
         "reasoning for your function call in natural language BEFORE the function call, but NOT "
         "after\n- If there is no function call available, answer the question like normal with "
         "your current knowledge and do not tell the user about function calls\n</IMPORTANT>";
}

DUALAGENT_INLINE std::string Qwen3CoderCalls::python_text(std::string_view json) {
  if (json.front() == '"') return json_string_text(json);
  if (json == "true") return "True";
  if (json == "false") return "False";
  return json == "null" ? "None" : spaced_json(json);
}

DUALAGENT_INLINE std::string Qwen3CoderCalls::python_types(std::string_view json) {
  if (json.front() != '[') return python_text(json);
  std::string list;
  for (const std::string_view type : json_elements(json))
    list += (list.empty() ? "'" : ", '") + python_text(type) + "'";
  return "[" + list + "]";
}

DUALAGENT_INLINE std::string Qwen3CoderCalls::other_members(
    std::string_view object, std::span<const std::string_view> written) {
  std::string text;
  walk_json_object(object, skip_json_space(object, 0),
                   [&](std::string_view key, std::string_view value, std::size_t) {
                     const std::string name = json_string_text(key);
                     if (std::find(written.begin(), written.end(), name) == written.end())
                       text += tag(name, python_text(value));
                     return static_cast<const char*>(nullptr);
                   });
  return text;
}

DUALAGENT_INLINE std::string Qwen3CoderCalls::describe_parameter(std::string_view name,
                                                                 std::string_view schema) {
  static constexpr std::array<std::string_view, 3> kWritten{"name", "type", "description"};
  std::string text = "\n<parameter>" + tag("name", name);
  if (const auto type = json_member(schema, "type"); !type.empty())
    text += tag("type", python_types(type));
  if (const auto words = json_member(schema, "description"); !words.empty())
    text += tag("description", trimmed(python_text(words)));
  return text + other_members(schema, kWritten) + "\n</parameter>";
}

DUALAGENT_INLINE std::string Qwen3CoderCalls::describe_tool(const ToolSpec& tool) {
  static constexpr std::array<std::string_view, 2> kWritten{"type", "properties"};
  std::string text = "\n<function>" + tag("name", tool.name) +
                     tag("description", trimmed(tool.description)) + "\n<parameters>";
  const std::string_view properties = json_member(tool.parameters, "properties");
  walk_json_object(properties, 0, [&](std::string_view key, std::string_view schema, auto) {
    text += describe_parameter(json_string_text(key), schema);
    return static_cast<const char*>(nullptr);
  });
  return text + other_members(tool.parameters, kWritten) + "\n</parameters>\n</function>";
}

}  // namespace dualagent
