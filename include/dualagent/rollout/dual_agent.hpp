#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "dualagent/rollout/episode.hpp"
#include "dualagent/rollout/protocol.hpp"

namespace dualagent {

namespace detail {

inline bool was_cut(FinishReason finish) {
  return finish == FinishReason::length || finish == FinishReason::context_full;
}

inline std::vector<std::string> texts_of(const std::vector<ToolResult>& results) {
  std::vector<std::string> texts;
  texts.reserve(results.size());
  for (const ToolResult& result : results) texts.push_back(result.text);
  return texts;
}

template <class Dialect>
Turn parse_turn(const Dialect& dialect, std::span<const Token> tokens, const Rollout& rollout) {
  if constexpr (requires { dialect.parse_turn(tokens, rollout); })
    return dialect.parse_turn(tokens, rollout);
  else
    return dialect.parse_turn(tokens);
}

template <class Dialect>
std::vector<Token> turn_opening(const Dialect& dialect, const Context& context) {
  if constexpr (requires { dialect.turn_opening(context); })
    return dialect.turn_opening(context);
  else
    return {};
}

template <class Dialect>
std::vector<Token> observation(const Dialect& dialect, std::span<const std::string> results,
                               std::span<const Token> turn) {
  if constexpr (requires { dialect.observation(results, turn); })
    return dialect.observation(results, turn);
  else
    return dialect.observation(results);
}

template <class Dialect>
std::optional<std::vector<Token>> correction(const Dialect& dialect, const MalformedTurn& malformed,
                                             std::span<const Token> turn) {
  if constexpr (requires { dialect.correction(malformed, turn); })
    return dialect.correction(malformed, turn);
  else
    return dialect.correction(malformed);
}

/// Whether a next window has room for a turn after what the rewriter keeps beside the summary.
template <class Protocol>
bool leaves_room(const Protocol& protocol, const Context& context) {
  const Token summary[] = {0};  // no summary takes less
  const Context next = protocol.rewriter.rewrite(context, summary);
  return next.size() + turn_opening(protocol.dialect, next).size() <
         protocol.limits.max_context_tokens;
}

}  // namespace detail

/// The dual-agent protocol: the Answerer takes turns; once its context is overlong, the Summarizer
/// compresses it and the Answerer goes on from what the rewriter keeps.
///
/// A summary is sampled only where a turn can follow it: not after the last turn of `max_turns`,
/// nor where what the rewriter keeps beside it fills the window. A fork begins with the summary.
/// `protocol`, and the task behind `desk`, must outlive the episode.
template <class Protocol>
Episode play_dual_agent(const Protocol& protocol, EpisodeDesk& desk) {
  const auto& dialect = protocol.dialect;
  const RolloutLimits& limits = protocol.limits;
  const StopRule turn_stop = dialect.turn_stop();
  const StopRule summary_stop = dialect.summary_stop();
  const std::size_t max_calls =
      std::min(limits.max_calls, desk.task().max_calls.value_or(limits.max_calls));

  bool overlong = desk.rollout().fork.has_value();
  if (!overlong) {
    Context first;
    first.append(Provenance::prompt, dialect.prompt(desk.task()));
    desk.open(std::move(first));
  }

  for (;;) {
    if (!overlong) {
      const std::vector<Token> opening = detail::turn_opening(dialect, desk.context());
      if (desk.room() <= opening.size())
        co_return desk.finish(RolloutStatus::truncated, "context limit");
      if (desk.rollout().turns == limits.max_turns)
        co_return desk.finish(RolloutStatus::truncated, "turn limit");
      desk.give(Provenance::injected, opening);
      const Generation& turn = co_await desk.answer(turn_stop);
      if (detail::was_cut(turn.finish))
        co_return desk.finish(RolloutStatus::truncated,
                              desk.room() == 0 ? "context limit" : "turn too long");

      Turn parsed = detail::parse_turn(dialect, turn.sampled.tokens(), desk.rollout());
      if (const auto* answer = std::get_if<Answer>(&parsed))
        co_return desk.finish(RolloutStatus::finished, "answered", answer->text);
      if (const auto* malformed = std::get_if<MalformedTurn>(&parsed)) {
        desk.count_malformed_turn();
        const std::optional<std::vector<Token>> correction =
            detail::correction(dialect, *malformed, turn.sampled.tokens());
        if (!correction)
          co_return desk.finish(RolloutStatus::finished, "malformed turn: " + malformed->reason);
        desk.give(Provenance::observation, *correction);
      } else {
        auto& calls = std::get<std::vector<ToolCall>>(parsed);
        if (desk.rollout().calls + calls.size() > max_calls)
          co_return desk.finish(RolloutStatus::truncated, "call limit");
        const std::vector<ToolResult>& results = co_await desk.call(std::move(calls));
        desk.give(Provenance::observation,
                  detail::observation(dialect, detail::texts_of(results), turn.sampled.tokens()));
      }
    }

    const ContextStatus status{desk.context().size(), limits.max_context_tokens,
                               count_turns(desk.context()), desk.rollout().summaries};
    if (!std::exchange(overlong, false) && !protocol.trigger.should_summarize(status)) continue;
    if (desk.rollout().turns == limits.max_turns)  // nobody would read the next window
      co_return desk.finish(RolloutStatus::truncated, "turn limit");

    std::vector<Token> presented;
    if constexpr (decltype(protocol.rewriter)::summary_use == SummaryUse::required) {
      if (desk.rollout().summaries == limits.max_summaries)
        co_return desk.finish(RolloutStatus::truncated, "summary limit");
      const std::vector<Token> request = dialect.summary_request();
      if (desk.room() <= request.size() || !detail::leaves_room(protocol, desk.context()))
        co_return desk.finish(RolloutStatus::truncated, "context limit");
      const Generation& summary = co_await desk.summarize(request, summary_stop);
      if (detail::was_cut(summary.finish))
        co_return desk.finish(RolloutStatus::truncated, "summary too long");
      if (const std::optional<std::string> defect = dialect.check_summary(summary.sampled.tokens()))
        co_return desk.finish(RolloutStatus::finished, "malformed summary: " + *defect);
      presented = dialect.present_summary(summary.sampled.tokens());
    }
    desk.open(protocol.rewriter.rewrite(desk.context(), presented));
  }
}

}  // namespace dualagent
