#pragma once

#include <string>

namespace dualagent {

/// What a model is told about a tool.
struct ToolSpec {
  std::string name = {};
  std::string description = {};
  /// JSON schema of the arguments: a JSON object as text.
  std::string parameters = R"({"type": "object", "properties": {}})";
};

}  // namespace dualagent
