#pragma once

#include <cstddef>
#include <utility>

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
};

/// One readable sentence if D is no ToolDialect.
template <class D>
consteval bool check_tool_dialect() {
  static_assert(ToolDialect<D>,
                "dualagent: a ToolDialect needs prompt, turn_stop, summary_stop, parse_turn, "
                "observation, correction, summary_request, check_summary and present_summary; see "
                "docs/policies.md#dialects");
  return true;
}

/// How an episode is played: the language, the tools, when to summarize and what is kept.
///
/// The same for all rollouts of a group, so that their rewards can be compared.
/// Example: Protocol{MyDialect{}, ToolBox{Lookup{}}, TokenBudget{.max_tokens = 80},
///                   ReplaceBySummary{}, {.max_context_tokens = 136}};
template <class Dialect, class Tools, class Trigger, class Rewriter = ReplaceBySummary>
struct Protocol {
  static_assert(check_tool_dialect<Dialect>());
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
        limits(limits_) {}
};

}  // namespace dualagent
