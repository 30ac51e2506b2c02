#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/data/task.hpp"
#include "dualagent/text/dialect.hpp"
#include "dualagent/text/tool_spec.hpp"
#include "dualagent/tools/argument_schema.hpp"
#include "dualagent/tools/tool_memory.hpp"
#include "dualagent/trace/tool_use.hpp"

namespace dualagent {

/// What a tool may know about the call it answers. A tool that draws random numbers derives them
/// from these values only, so that an episode can be repeated.
struct CallInfo {
  const Task* task = nullptr;    ///< never null during a call
  std::size_t call = 0;          ///< 0, 1, ... over all calls of the rollout
  ToolMemory* memory = nullptr;  ///< of the episode; null outside of one
  std::stop_token cancel = {};   ///< asked to stop when nobody waits for the answer any more
};

/// Where a tool runs: on a worker thread, or in the scheduler's thread for calls that take less
/// than the few microseconds of handing them over.
enum class Execution : std::uint8_t { worker, immediate };

/// The answer to one call; `text` is shown to the model whatever the status.
struct ToolResult {
  ToolStatus status = ToolStatus::ok;
  std::string text;
};

/// Thrown by a tool when the environment itself is broken (server gone, disk full): the rollout is
/// aborted and leaves its group's statistics. Any other exception becomes a `failed` result that
/// the model can read.
class AbortRollout : public Error {
 public:
  using Error::Error;
};

namespace detail {
template <class T>
concept HasToolName = requires {
  { T::name } -> std::convertible_to<std::string_view>;
};
template <class T>
concept HasToolArguments = requires {
  typename T::Arguments;
}
&&std::default_initializable<typename T::Arguments>;
template <class T>
concept HasReadableArguments = HasToolArguments<T> &&
    (DescribedArguments<typename T::Arguments> ||
     requires(const nlohmann::json& json, typename T::Arguments& arguments) {
       json.get_to(arguments);
     });
template <class T>
concept HasToolCall = HasToolArguments<T> &&
    requires(const T& tool, const typename T::Arguments& arguments, const CallInfo& info) {
  { tool(arguments, info) } -> std::convertible_to<std::string>;
};
}  // namespace detail

/// Something the Answerer can call.
///
/// Syntactic requirements on a tool type T and a constant t of it:
/// 1. `T::name` is a constant convertible to std::string_view.
/// 2. `T::Arguments` is a default-constructible struct that either lists its members in
///    `describe(visitor)`, which gives a schema and a full check (tools/argument_schema.hpp), or
///    that nlohmann_json can read (`from_json(const nlohmann::json&, Arguments&)`).
/// 3. `t(arguments, info)` returns the text of the result as std::string.
/// 4. optional: `static constexpr Execution execution`; default `Execution::worker`.
/// 5. optional: `static constexpr std::string_view description`, for the model.
/// Semantic requirements: calls may run at the same time on several threads.
///
/// Example:
///   struct Double {
///     static constexpr std::string_view name = "double";
///     struct Arguments {
///       int x = 0;
///       template <class Visitor>
///       void describe(Visitor&& visit) { visit("x", x, {.description = "what is doubled"}); }
///     };
///     std::string operator()(const Arguments& a, const dualagent::CallInfo&) const {
///       return std::to_string(2 * a.x);
///     }
///   };
template <class T>
concept Tool = detail::HasToolName<T> && detail::HasToolCall<T>;

/// One readable sentence for each part of `Tool` that T lacks.
template <class T>
consteval bool check_tool() {
  static_assert(detail::HasToolName<T>,
                "dualagent: a Tool needs 'static constexpr std::string_view name'; see "
                "docs/policies.md#tools");
  static_assert(detail::HasToolArguments<T>,
                "dualagent: a Tool needs a default-constructible struct 'Arguments'; see "
                "docs/policies.md#tools");
  static_assert(detail::HasToolCall<T>,
                "dualagent: a Tool needs 'std::string operator()(const Arguments&, const "
                "CallInfo&) const'; see docs/policies.md#tools");
  if constexpr (detail::HasToolArguments<T>)
    static_assert(detail::HasReadableArguments<T>,
                  "dualagent: a Tool's Arguments need 'template <class Visitor> void "
                  "describe(Visitor&& visit)' that visits every member, or a from_json for "
                  "nlohmann_json; see docs/policies.md#tools");
  return true;
}

/// What answers the calls of an episode: a ToolBox, or something of your own.
///
/// Syntactic requirements on a constant t: `t.call(call, info)` returns the ToolResult of a
/// ToolCall; `t.execution(call)` says where it wants to run; `t.specs()` names the tools. Semantic
/// requirements: as for tools; the specs never change.
template <class T>
concept ToolSet = requires(const T& tools, const ToolCall& call, const CallInfo& info) {
  { tools.call(call, info) } -> std::same_as<ToolResult>;
  { tools.execution(call) } -> std::same_as<Execution>;
  { tools.specs() } -> std::convertible_to<std::vector<ToolSpec>>;
};

/// One readable sentence if T cannot answer calls, e.g. where a single tool is given.
template <class T>
consteval bool check_tool_set() {
  static_assert(!Tool<T>,
                "dualagent: a ToolBox is due here, not a tool; write ToolBox{YourTool{}}, or "
                "ToolBox{} for no tools; see docs/policies.md#tools");
  if constexpr (!Tool<T>)
    static_assert(ToolSet<T>,
                  "dualagent: a ToolBox is due here; write ToolBox{YourTool{}, ...}, or ToolBox{} "
                  "for no tools; see docs/policies.md#tools");
  return true;
}

template <class T>
inline constexpr Execution execution_of = Execution::worker;
template <class T>
requires requires {
  { T::execution } -> std::convertible_to<Execution>;
}
inline constexpr Execution execution_of<T> = T::execution;

}  // namespace dualagent
