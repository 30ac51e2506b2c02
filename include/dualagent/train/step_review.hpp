#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/core/number_text.hpp"
#include "dualagent/core/warning.hpp"
#include "dualagent/trace/rollout.hpp"
#include "dualagent/train/reward_fall.hpp"
#include "dualagent/train/step_metrics.hpp"

namespace dualagent {

/// Looks at what a step measured and warns, once per run and kind, of what may be meant but looks
/// wrong: steps that teach nothing, rewards that have fallen, tools whose every call fails.
class StepReview {
 public:
  /// Writes `metrics.nothing_learned`. `compares` says whether advantages are differences within
  /// groups. `rollouts` are this rank's, for examples; only a rank that `speaks` warns.
  void look(StepMetrics& metrics, std::span<const Rollout> rollouts, bool compares, bool speaks) {
    metrics.nothing_learned = reason(metrics, rollouts, compares);
    if (!speaks) return;
    if (!metrics.nothing_learned.empty())
      once("nothing learned", metrics,
           "nothing could be learned: " + metrics.nothing_learned +
               ". StepMetrics::nothing_learned says so of later steps");
    if (const std::string fall = rewards_.look(metrics.step, rollouts); !fall.empty())
      once("rewards have fallen", metrics, fall);
    if (metrics.aborted > 0 && metrics.aborted < metrics.rollouts)
      once("aborted", metrics,
           trimmed_text(metrics.aborted, 0) + " of " + count(metrics.rollouts, "rollout") +
               " left the statistics" + commonest_ending(rollouts, RolloutStatus::aborted) +
               ". StepMetrics::aborted counts those of later steps");
    for (const ToolMetrics& tool : metrics.tools) look_at(tool, metrics, rollouts);
    if (metrics.unknown_tool_calls > kFew && metrics.unknown_tool_calls == metrics.tool_calls)
      once("unknown tools", metrics,
           "all " + count(metrics.tool_calls, "tool call") + " named tools that there are not" +
               example(rollouts, ToolStatus::unknown_tool, ""));
  }

 private:
  static constexpr double kFew = 3;  // calls that may fail together by chance

  static std::string count(double number, const std::string& what) {
    return trimmed_text(number, 0) + " " + what + (number == 1 ? "" : "s");
  }

  /// Why no reward could move a weight; empty if one could.
  static std::string reason(const StepMetrics& metrics, std::span<const Rollout> rollouts,
                            bool compares) {
    if (metrics.rollouts == 0) return "there are no rollouts";
    const std::string all = "all " + count(metrics.rollouts, "rollout");
    if (metrics.aborted == metrics.rollouts)
      return all + " were aborted" + commonest_ending(rollouts, RolloutStatus::aborted);
    const std::string cut =
        metrics.truncated + metrics.aborted == metrics.rollouts
            ? "; all of them met a limit" + commonest_ending(rollouts, RolloutStatus::truncated)
            : "";
    if (compares && metrics.with_advantage == 0)
      return "within each group all rewards are equal" + cut;
    if (metrics.trained_tokens == 0) return "the view trains no token of " + all + cut;
    return {};
  }

  /// ": ENDING" of most rollouts of this rank that ended so.
  static std::string commonest_ending(std::span<const Rollout> rollouts, RolloutStatus status) {
    std::map<std::string, std::size_t> endings;
    for (const Rollout& rollout : rollouts)
      if (rollout.status == status) ++endings[rollout.ending];
    const auto most = std::max_element(endings.begin(), endings.end(),
                                       [](auto& a, auto& b) { return a.second < b.second; });
    return most == endings.end() ? "" : ": " + most->first;
  }

  void look_at(const ToolMetrics& tool, const StepMetrics& metrics,
               std::span<const Rollout> rollouts) {
    if (tool.calls <= kFew) return;
    const std::string calls = count(tool.calls, "call") + " of the tool '" + tool.name + "'";
    if (tool.failures == tool.calls)
      once("failures of " + tool.name, metrics,
           "all " + calls + " failed" + example(rollouts, ToolStatus::failed, tool.name));
    if (tool.refusals == tool.calls)
      once("refusals of " + tool.name, metrics,
           "all " + calls + " had arguments that could not be read" +
               example(rollouts, ToolStatus::bad_arguments, tool.name));
  }

  /// ", e.g. with: ..." of a call of this rank; an empty name stands for any tool.
  static std::string example(std::span<const Rollout> rollouts, ToolStatus status,
                             const std::string& tool) {
    for (const Rollout& rollout : rollouts)
      for (const ToolUse& use : rollout.tool_uses)
        if (use.status == status && (tool.empty() || use.tool == tool))
          return "; the model was told: " + use.problem;
    return {};
  }

  void once(const std::string& kind, const StepMetrics& metrics, const std::string& text) {
    if (said_.insert(kind).second) warn("step " + std::to_string(metrics.step) + ": " + text);
  }

  RewardFall rewards_;
  std::set<std::string> said_;  // kinds of warnings
};

}  // namespace dualagent
