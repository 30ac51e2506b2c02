#pragma once

/// Definitions of episode.hpp; see core/compiled.hpp.

#include "dualagent/rollout/episode.hpp"

namespace dualagent {

DUALAGENT_INLINE void Episode::resume() {
  handle_.resume();
  if (handle_.done() && handle_.promise().error) std::rethrow_exception(handle_.promise().error);
}

DUALAGENT_INLINE EpisodeChannel::EpisodeChannel(const Task& task, std::size_t group,
                                                std::size_t member, SummaryWindow window,
                                                std::size_t max_context_tokens)
    : task_(&task), window_(window), max_context_tokens_(max_context_tokens) {
  rollout_.task_id = task.id;
  rollout_.group = group;
  rollout_.member = member;
}

DUALAGENT_INLINE EpisodeChannel::EpisodeChannel(const Task& task, const Rollout& source,
                                                std::size_t summary, std::size_t member,
                                                SummaryWindow window,
                                                std::size_t max_context_tokens)
    : EpisodeChannel(task, source.group, member, window, max_context_tokens) {
  if (summary >= source.summary_requests.size())
    throw Error("a fork wants summary " + std::to_string(summary) +
                    " of a rollout that asked for " +
                    std::to_string(source.summary_requests.size()),
                "task '" + task.id + "'", "Fork at one of Rollout::summary_requests");
  const SummaryRequest& at = source.summary_requests[summary];
  for (std::size_t s = 0; s <= at.segment; ++s) {
    const Segment& segment = source.segments[s];
    const std::size_t tokens = s == at.segment ? at.position : segment.context.size();
    rollout_.segments.push_back(
        {segment.owner, segment.parent, copy_as_history(segment.context, tokens)});
  }
  current_ = at.segment;
  rollout_.turns = at.turns;
  rollout_.calls = at.calls;
  rollout_.malformed_turns = at.malformed_turns;
  rollout_.summaries = summary;
  rollout_.summary_requests.assign(
      source.summary_requests.begin(),
      source.summary_requests.begin() + static_cast<std::ptrdiff_t>(summary));
  rollout_.fork = ForkOrigin{source.member, summary};
}

DUALAGENT_INLINE auto EpisodeChannel::summarize(std::span<const Token> request,
                                                const StopRule& stop) -> GenerationAwaiter {
  ++rollout_.summaries;
  rollout_.summary_requests.push_back(
      {current_, context().size(), rollout_.turns, rollout_.calls, rollout_.malformed_turns});
  std::size_t segment = current_;
  if (window_ == SummaryWindow::separate) {
    open_segment(AgentRole::summarizer, copy_as_given(context(), context().size()));
    segment = rollout_.segments.size() - 1;
  }
  rollout_.segments[segment].context.append(Provenance::injected, request);
  return generate({AgentRole::summarizer, segment}, stop);
}

DUALAGENT_INLINE void EpisodeChannel::deliver(Generation&& generation) {
  const auto& asked = std::get<PendingGeneration>(pending_);
  rollout_.segments[asked.segment].context.append(generation.sampled);
  generation_.emplace(std::move(generation));
  ++generations_;
  pending_ = {};
}

DUALAGENT_INLINE void EpisodeChannel::deliver(std::vector<ToolResult>&& results) {
  const std::vector<ToolCall>& calls = std::get<PendingCalls>(pending_).calls;
  for (std::size_t i = 0; i < results.size(); ++i) note_use(calls[i], results[i]);
  rollout_.calls += results.size();
  results_ = std::move(results);
  pending_ = {};
}

DUALAGENT_INLINE void EpisodeChannel::note_use(const ToolCall& call, const ToolResult& result) {
  constexpr std::size_t kKeptBytes = 200;
  ToolUse use{.tool = call.tool.substr(0, kKeptBytes), .status = result.status};
  if (result.status != ToolStatus::ok) use.problem = result.text.substr(0, kKeptBytes);
  rollout_.tool_uses.push_back(std::move(use));
}

DUALAGENT_INLINE void EpisodeChannel::open_segment(AgentRole owner, Context context) {
  std::optional<std::size_t> parent;
  if (!rollout_.segments.empty()) parent = current_;
  rollout_.segments.push_back({owner, parent, std::move(context)});
}

DUALAGENT_INLINE auto EpisodeChannel::generate(PendingGeneration request, const StopRule& stop)
    -> GenerationAwaiter {
  const std::size_t used = rollout_.segments[request.segment].context.size();
  const std::size_t room = used < max_context_tokens_ ? max_context_tokens_ - used : 0;
  if (room == 0)
    throw Error("an episode asks for tokens in a full context window",
                "task '" + rollout_.task_id + "'", "Check room() before asking");
  if (stop.max_new_tokens == 0)
    throw Error("a StopRule allows 0 tokens", "task '" + rollout_.task_id + "'",
                "Let the dialect's turn_stop and summary_stop allow 1 token at least");
  stop_ = stop;
  if (stop_.max_new_tokens > room) stop_.max_new_tokens = room;
  pending_ = request;
  return {*this};
}

}  // namespace dualagent
