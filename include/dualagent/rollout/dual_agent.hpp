#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/rollout/episode.hpp"
#include "dualagent/rollout/episode_dialect.hpp"
#include "dualagent/rollout/protocol.hpp"

namespace dualagent {

namespace detail {

bool was_cut(FinishReason finish);

std::vector<std::string> texts_of(const std::vector<ToolResult>& results);

void require_room_for_a_turn(const EpisodeChannel& channel, std::size_t opening);

/// Whether a next window has room for a turn after what the rewriter keeps beside the summary.
/// `rewrite(summary)` is the window that would follow.
template <class Dialect, class Rewrite>
bool leaves_room(const Dialect& dialect, const Rewrite& rewrite, std::size_t max_context_tokens) {
  const Token summary[] = {0};  // no summary takes less
  const Context next = rewrite(summary);
  return next.size() + dialect.turn_opening(next).size() < max_context_tokens;
}

}  // namespace detail

/// The dual-agent protocol: the Answerer takes turns; once its context is overlong, the Summarizer
/// compresses it and the Answerer goes on from what the rewriter keeps.
///
/// A summary is sampled only where a turn can follow it: not after the last turn of `max_turns`,
/// nor where what the rewriter keeps beside it fills the window. A fork begins with the summary.
/// Errors: Error for a task whose prompt leaves no room for a turn; an exception of a policy that
/// is not an Error becomes one which names it. `protocol`, and the task behind `channel`, must
/// outlive the episode.
template <class Protocol>
Episode play_dual_agent(const Protocol& protocol, EpisodeChannel& channel) {
  const EpisodeDialect dialect(protocol.dialect, channel.rollout());
  const RolloutLimits& limits = protocol.limits;
  const StopRule turn_stop = dialect.turn_stop();
  const StopRule summary_stop = dialect.summary_stop();
  const std::size_t max_calls =
      std::min(limits.max_calls, channel.task().max_calls.value_or(limits.max_calls));

  bool overlong = channel.rollout().fork.has_value();
  if (!overlong) {
    Context first;
    first.append(Provenance::prompt, dialect.prompt(channel.task()));
    channel.open(std::move(first));
    detail::require_room_for_a_turn(channel, dialect.turn_opening(channel.context()).size());
  }

  for (;;) {
    if (!overlong) {
      const std::vector<Token> opening = dialect.turn_opening(channel.context());
      if (channel.room() <= opening.size())
        co_return channel.finish(RolloutStatus::truncated, "context limit");
      if (channel.rollout().turns == limits.max_turns)
        co_return channel.finish(RolloutStatus::truncated, "turn limit");
      channel.give(Provenance::injected, opening);
      const Generation& turn = co_await channel.answer(turn_stop);
      if (detail::was_cut(turn.finish))
        co_return channel.finish(RolloutStatus::truncated,
                                 channel.room() == 0 ? "context limit" : "turn too long");

      Turn parsed = dialect.parse_turn(turn.sampled.tokens());
      if (const auto* answer = std::get_if<Answer>(&parsed))
        co_return channel.finish(RolloutStatus::finished, "answered", answer->text);
      if (const auto* malformed = std::get_if<MalformedTurn>(&parsed)) {
        channel.count_malformed_turn();
        const std::optional<std::vector<Token>> correction =
            dialect.correction(*malformed, turn.sampled.tokens());
        if (!correction)
          co_return channel.finish(RolloutStatus::finished, "malformed turn: " + malformed->reason);
        channel.give(Provenance::observation, *correction);
      } else {
        auto& calls = std::get<std::vector<ToolCall>>(parsed);
        if (channel.rollout().calls + calls.size() > max_calls)
          co_return channel.finish(RolloutStatus::truncated, "call limit");
        const std::vector<ToolResult>& results = co_await channel.call(std::move(calls));
        channel.give(Provenance::observation,
                     dialect.observation(detail::texts_of(results), turn.sampled.tokens()));
      }
    }

    const ContextStatus status{channel.context().size(), limits.max_context_tokens,
                               count_turns(channel.context()), channel.rollout().summaries};
    const auto place = [&] { return place_of(channel.rollout()); };
    const bool asked = std::exchange(overlong, false);
    if (!asked && !call_user_code("a trigger's should_summarize", place,
                                  [&] { return protocol.trigger.should_summarize(status); }))
      continue;
    if (channel.rollout().turns == limits.max_turns)  // nobody would read the next window
      co_return channel.finish(RolloutStatus::truncated, "turn limit");

    const auto rewrite = [&](std::span<const Token> summary) {
      return call_user_code("a rewriter's rewrite", place,
                            [&] { return protocol.rewriter.rewrite(channel.context(), summary); });
    };
    std::vector<Token> presented;
    if constexpr (decltype(protocol.rewriter)::summary_use == SummaryUse::required) {
      if (channel.rollout().summaries == limits.max_summaries)
        co_return channel.finish(RolloutStatus::truncated, "summary limit");
      const std::vector<Token> request = dialect.summary_request();
      if (channel.room() <= request.size() ||
          !detail::leaves_room(dialect, rewrite, limits.max_context_tokens))
        co_return channel.finish(RolloutStatus::truncated, "context limit");
      const Generation& summary = co_await channel.summarize(request, summary_stop);
      if (detail::was_cut(summary.finish))
        co_return channel.finish(RolloutStatus::truncated, "summary too long");
      if (const std::optional<std::string> defect = dialect.check_summary(summary.sampled.tokens()))
        co_return channel.finish(RolloutStatus::finished, "malformed summary: " + *defect);
      presented = dialect.present_summary(summary.sampled.tokens());
    }
    channel.open(rewrite(presented));
  }
}

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/rollout/dual_agent.inl"
#endif
