#pragma once

#include <cstddef>
#include <exception>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "dualagent/tools/tool_box.hpp"

/// What every Tool promises; run it on your own.
namespace laws {

using Violations = std::vector<std::string>;

/// Argument texts that a model may well write.
inline std::vector<std::string> hostile_arguments() {
  return {"",
          "{",
          "null",
          "[]",
          "{}",
          "17",
          "\"text\"",
          "{\"x\":1e999}",
          "{\"x\":null}",
          "{\"x\":{\"x\":{\"x\":1}}}",
          "{\"x\":1}{",
          "{\"x\":\"\\ud800\"}",
          "{\"x\":-99999999999999999999}",
          std::string("{\"x\":\0}", 7),
          "{\"x\":\"\xFF\"}",
          std::string(10'000, '[')};
}

/// A tool answers any call with a result: broken arguments never escape as an exception, equal
/// calls get equal answers, and calls may run at the same time. `good` are argument texts the tool
/// understands. One sentence per violation.
template <dualagent::Tool T>
Violations of_tool(const T& tool, std::span<const std::string> good,
                   const dualagent::Task& task = {}) {
  using namespace dualagent;
  const ToolBox box{tool};
  const CallInfo info{&task, 0};
  const auto answer = [&](const std::string& arguments) {
    return box.call({std::string(T::name), arguments}, info);
  };
  Violations found;
  for (const std::string& arguments : hostile_arguments()) try {
      const ToolResult result = answer(arguments);
      if (result.status != ToolStatus::ok && result.text.empty())
        found.push_back("a refused call gets no reason: " + arguments);
    } catch (const AbortRollout&) {
      found.push_back("broken arguments abort the rollout: " + arguments);
    } catch (const std::exception& error) {
      found.push_back("broken arguments throw: " + std::string(error.what()));
    }
  for (const std::string& arguments : good) {
    const ToolResult first = answer(arguments);
    if (first.status == ToolStatus::bad_arguments)
      found.push_back("good arguments are refused: " + first.text);
    std::vector<ToolResult> results(4);
    {
      std::vector<std::jthread> threads;
      for (ToolResult& result : results)
        threads.emplace_back([&result, &answer, &arguments] { result = answer(arguments); });
    }
    for (const ToolResult& result : results)
      if (result.text != first.text || result.status != first.status)
        found.push_back("two equal calls get '" + first.text + "' and '" + result.text + "'");
  }
  return found;
}

}  // namespace laws
