#pragma once

#include <cstddef>
#include <exception>
#include <nlohmann/json.hpp>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "dualagent/core/check.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/core/user_code.hpp"
#include "dualagent/text/dialect.hpp"
#include "dualagent/text/tool_spec.hpp"
#include "dualagent/tools/argument_schema.hpp"
#include "dualagent/tools/tool.hpp"

namespace dualagent {

/// The tools of an episode, by value. A call is looked up by name, its JSON arguments are read into
/// the tool's own `Arguments`, and the tool receives a typed value.
///
/// Errors: an unknown name, unreadable or ill-typed arguments and a tool that throws, whatever it
/// throws, all become a `ToolResult` that says what was wrong; only `AbortRollout` passes through.
/// The constructor throws Error for two tools of one name.
/// Example: ToolBox box{Calculator{}, LedgerLookup{...}};
template <class... Tools>
class ToolBox {
  static_assert((check_tool<Tools>() && ...));

 public:
  ToolBox() = default;
  explicit ToolBox(Tools... tools) requires(sizeof...(Tools) > 0) : tools_(std::move(tools)...) {
    const std::vector<std::string_view> names{Tools::name...};
    for (std::size_t i = 0; i < names.size(); ++i)
      for (std::size_t j = 0; j < i; ++j)
        if (names[i] == names[j])
          throw Error("two tools have the name '" + std::string(names[i]) + "'", "ToolBox",
                      "Give every tool a name of its own");
    std::apply([](const Tools&... tool) { validate_all(tool...); }, tools_);
  }

  /// Runs the call in the calling thread; safe from several threads at once.
  ToolResult call(const ToolCall& call, const CallInfo& info) const {
    ToolResult result{ToolStatus::unknown_tool,
                      "unknown tool '" + call.tool + "'; the tools are: " + names()};
    visit(call.tool, [&](const auto& tool) { result = run(tool, call, info); });
    return result;
  }

  /// Where the named tool wants to run; unknown names are answered at once.
  Execution execution(const ToolCall& call) const {
    Execution execution = Execution::immediate;
    visit(call.tool, [&]<class T>(const T&) { execution = execution_of<T>; });
    return execution;
  }

  /// What a model is told about the tools: their names, `T::description` where a tool has one, and
  /// the schema of `Arguments` where it describes its members.
  static std::vector<ToolSpec> specs() { return {spec_of<Tools>()...}; }

 private:
  template <class T>
  static ToolSpec spec_of() {
    ToolSpec spec{.name = std::string(T::name)};
    if constexpr (requires { std::string(T::description); })
      spec.description = std::string(T::description);
    if constexpr (DescribedArguments<typename T::Arguments>)
      spec.parameters = argument_schema<typename T::Arguments>();
    else
      spec.parameters = R"({"type": "object"})";
    return spec;
  }

  template <class Visitor>
  void visit(std::string_view name, Visitor&& visitor) const {
    std::apply([&](const Tools&... tool) { ((Tools::name == name ? visitor(tool) : void()), ...); },
               tools_);
  }

  template <class T>
  static ToolResult run(const T& tool, const ToolCall& call, const CallInfo& info) {
    typename T::Arguments arguments{};
    try {
      if constexpr (DescribedArguments<typename T::Arguments>)
        arguments = read_described_arguments<typename T::Arguments>(call.arguments);
      else
        parse_json(call.arguments, "the arguments", "Write one JSON object").get_to(arguments);
    } catch (...) {
      return {ToolStatus::bad_arguments, "bad arguments for '" + call.tool + "': " + reason()};
    }
    try {
      return {ToolStatus::ok, tool(arguments, info)};
    } catch (const AbortRollout&) {
      throw;
    } catch (...) {
      return {ToolStatus::failed, "'" + call.tool + "' failed: " + reason()};
    }
  }

  /// What is being handled, for the model: an exception's own text, without the type that only
  /// programmers know.
  static std::string reason() {
    try {
      throw;
    } catch (const std::exception& error) {
      return error.what();
    } catch (...) {
      return describe_exception(std::current_exception());
    }
  }

  static std::string names() {
    std::string list;
    ((list += (list.empty() ? "" : ", ") + std::string(Tools::name)), ...);
    return list.empty() ? "(none)" : list;
  }

  std::tuple<Tools...> tools_;
};

}  // namespace dualagent
