#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/core/check.hpp"
#include "dualagent/core/warning.hpp"
#include "dualagent/summary/rewriter.hpp"
#include "dualagent/summary/trigger.hpp"
#include "dualagent/text/dialect.hpp"
#include "dualagent/tools/tool_box.hpp"

namespace dualagent {

/// Bounds of one rollout; a rollout that meets one is truncated, not aborted.
struct RolloutLimits {
  std::size_t max_context_tokens = 4096;  ///< the context window, prompt and summary included
  std::size_t max_turns = 64;             ///< of the Answerer, over all segments
  std::size_t max_calls = 64;             ///< of tools, over all segments; a task may ask for less
  std::size_t max_summaries = 64;

  /// Errors: Error for a rollout that could not take a turn.
  void validate() const {
    require_option(max_context_tokens, kAtLeastOne, "max_context_tokens", "RolloutLimits");
    require_option(max_turns, kAtLeastOne, "max_turns", "RolloutLimits");
  }
};

/// One readable sentence if D is not a ToolDialect.
template <class D>
consteval bool check_tool_dialect() {
  static_assert(ToolDialect<D>,
                "dualagent: a ToolDialect needs prompt, turn_stop, summary_stop, parse_turn, "
                "observation, correction, summary_request, check_summary and present_summary; see "
                "docs/policies.md#dialects");
  return true;
}

namespace detail {

/// Compares what the model is told about the tools with the tools that there are.
template <class Tools>
void compare_tools(const std::vector<ToolSpec>& told, const Tools& tools) {
  const auto has = [](const std::vector<ToolSpec>& specs, const std::string& name) {
    return std::any_of(specs.begin(), specs.end(),
                       [&](const ToolSpec& spec) { return spec.name == name; });
  };
  const std::vector<ToolSpec> there = tools.specs();
  for (const ToolSpec& spec : told)
    if (!has(there, spec.name))
      throw Error(
          "the dialect tells the model of a tool '" + spec.name + "' that the tools do not have",
          "Protocol", "Give the dialect the specs() of this protocol's ToolBox");
  for (const ToolSpec& spec : there)
    if (!has(told, spec.name))
      warn("the dialect does not tell the model of the tool '" + spec.name +
           "': give it the specs() of the protocol's ToolBox, unless a prompt does so");
}

}  // namespace detail

/// One readable sentence if P is not a Protocol, e.g. where one of its parts is given.
template <class P>
consteval bool check_protocol() {
  static_assert(
      requires(const P& p) {
        p.dialect;
        p.tools;
        p.trigger;
        p.rewriter;
        p.limits;
      },
      "dualagent: a Protocol is due here; write Protocol{YourDialect{}, ToolBox{YourTool{}}, "
      "YourTrigger{}}; see docs/policies.md");
  return true;
}

/// How an episode is played: the language, the tools, when to summarize and what is kept.
///
/// The same for all rollouts of a group, so that their rewards can be compared.
/// Errors: the constructor throws Error for a value of a policy or a limit that cannot be meant,
/// and for a tool that the dialect tells the model of (its optional `tools()`) but that there is
/// not; it warns of a tool that the dialect does not tell of. Example: Protocol{MyDialect{},
/// ToolBox{Lookup{}}, TokenBudget{.max_tokens = 80},
///                   ReplaceBySummary{}, {.max_context_tokens = 136}};
template <class Dialect, class Tools, class Trigger, class Rewriter = ReplaceBySummary>
struct Protocol {
  static_assert(check_tool_dialect<Dialect>());
  static_assert(check_tool_set<Tools>());
  static_assert(check_summary_trigger<Trigger>());
  static_assert(check_context_rewriter<Rewriter>());

  Dialect dialect;
  Tools tools;
  Trigger trigger;
  Rewriter rewriter = {};
  RolloutLimits limits = {};

  Protocol(Dialect dialect_, Tools tools_, Trigger trigger_, Rewriter rewriter_ = {},
           RolloutLimits limits_ = {})
      : dialect(std::move(dialect_)),
        tools(std::move(tools_)),
        trigger(std::move(trigger_)),
        rewriter(std::move(rewriter_)),
        limits(limits_) {
    validate_all(dialect, tools, trigger, rewriter, limits);
    validate_for_window(limits.max_context_tokens, trigger, rewriter);
    if constexpr (requires { dialect.tools(); }) detail::compare_tools(dialect.tools(), tools);
  }
};

}  // namespace dualagent
