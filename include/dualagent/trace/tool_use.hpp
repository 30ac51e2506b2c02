#pragma once

#include <cstdint>
#include <string>

namespace dualagent {

/// What became of a tool call.
enum class ToolStatus : std::uint8_t { ok, unknown_tool, bad_arguments, failed, timed_out };

/// One tool call of a rollout and what became of it.
struct ToolUse {
  std::string tool;  ///< the name that the model wrote
  ToolStatus status = ToolStatus::ok;
  std::string problem = {};  ///< of a call that is not ok: the beginning of what the model was told
};

}  // namespace dualagent
