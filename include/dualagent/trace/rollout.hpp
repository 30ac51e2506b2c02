#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dualagent/trace/context.hpp"
#include "dualagent/trace/tool_use.hpp"

namespace dualagent {

/// One context window of one model.
///
/// With shared weights the Summarizer may go on in the Answerer's window, which then holds spans
/// of both agents; with separate weights a summary has a window of its own in which the history is
/// given.
struct Segment {
  /// Whose model reads this window; its sampled spans are trained by that model.
  AgentRole owner = AgentRole::answerer;
  /// The segment whose history this one continues or summarizes; none for the first.
  std::optional<std::size_t> parent{};
  Context context{};
};

/// How a rollout ended. Truncated is not aborted: a truncated rollout has a reward and a place in
/// its group's statistics; an aborted one (a tool gave up, a model's request kept failing, or the
/// reward abstained) leaves both.
enum class RolloutStatus : std::uint8_t { finished, truncated, aborted };

inline constexpr std::string_view to_string(RolloutStatus status) {
  switch (status) {
    case RolloutStatus::finished:
      return "finished";
    case RolloutStatus::truncated:
      return "truncated";
    case RolloutStatus::aborted:
      return "aborted";
  }
  return "unknown";
}

/// A moment at which a summary was asked for: the history so far, from which other summaries can be
/// sampled.
struct SummaryRequest {
  std::size_t segment = 0;          ///< the Answerer's
  std::size_t position = 0;         ///< tokens of that segment before the request
  std::size_t turns = 0;            ///< taken so far
  std::size_t calls = 0;            ///< made so far
  std::size_t malformed_turns = 0;  ///< taken so far
};

/// Whose history a rollout goes on with, and from which of its summary requests.
struct ForkOrigin {
  std::size_t member = 0;   ///< of the same group
  std::size_t summary = 0;  ///< index in that rollout's `summary_requests`
};

/// One logical attempt at a task: all its segments, one reward.
///
/// A fork begins with another rollout's history, all of it given (what that one sampled is
/// `Provenance::inherited`), and samples the summary anew.
struct Rollout {
  std::string task_id{};
  std::size_t group = 0;   ///< index of the task in the batch; rollouts of one group share it
  std::size_t member = 0;  ///< index within the group; forks are numbered after the others
  RolloutStatus status = RolloutStatus::finished;
  std::string ending{};  ///< why it ended: "answered", "malformed turn", "call limit", ...
  std::optional<std::string> answer{};  ///< what the Answerer answered, if it did
  double reward = 0.0;                  ///< one per rollout, never per segment
  std::size_t turns = 0;                ///< Answerer turns over all segments
  std::size_t calls = 0;                ///< tool calls over all segments
  std::size_t malformed_turns = 0;      ///< Answerer turns that were neither calls nor an answer
  std::size_t summaries = 0;
  std::vector<Segment> segments{};                 ///< in the order in which they were opened
  std::vector<SummaryRequest> summary_requests{};  ///< [summaries]
  std::vector<ToolUse> tool_uses{};  ///< calls that were answered, in their order; not of a history
  std::optional<ForkOrigin> fork{};  ///< none for a rollout that began with its task
};

/// Number of tokens that a rollout sampled itself, optionally of one agent only: what it cost, and
/// what can be trained. A fork's history is not among them; see count_generated.
inline std::size_t count_sampled(const Rollout& rollout, std::optional<AgentRole> agent = {}) {
  std::size_t count = 0;
  for (const Segment& segment : rollout.segments)
    for (const Span& span : segment.context.spans())
      if (span.is_sampled() && (!agent || span.agent == *agent)) count += span.size;
  return count;
}

/// Number of tokens that were sampled in the whole logical rollout, a fork's history included: the
/// length that a reward sees.
inline std::size_t count_generated(const Rollout& rollout) {
  std::size_t count = 0;
  for (const Segment& segment : rollout.segments)
    for (const Span& span : segment.context.spans()) count += span.is_generated() ? span.size : 0;
  return count;
}

}  // namespace dualagent
