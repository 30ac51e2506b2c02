#pragma once

#include <cstddef>
#include <span>

#include "dualagent/core/random.hpp"
#include "dualagent/model/backend.hpp"
#include "dualagent/rollout/dual_agent.hpp"
#include "dualagent/rollout/pairing.hpp"
#include "dualagent/rollout/rollout_journal.hpp"
#include "dualagent/rollout/rollout_start.hpp"
#include "dualagent/rollout/tool_caller.hpp"

namespace dualagent::detail {

/// A rollout of a scheduler that has not begun.
struct QueuedRollout {
  std::size_t ticket;
  RolloutStart start;
  RolloutSampling sampling;
  RandomStream random;  ///< its own
};

/// A rollout of a scheduler that is played: its episode and all that is kept for it.
template <class Protocol, SummaryWindow window>
struct LiveEpisode {
  /// `kept` may be null; it, `protocol` and the rollout's task and source must outlive the episode.
  LiveEpisode(const Protocol& protocol, const QueuedRollout& queued, RolloutJournal* kept)
      : ticket(queued.ticket),
        sampling(queued.sampling),
        random(queued.random),
        journal(kept, queued.start, queued.random),
        channel(channel_for(queued.start, protocol.limits.max_context_tokens)),
        episode(play_dual_agent(protocol, channel)) {}

  bool ended() const {
    return episode.done() || channel.rollout().status == RolloutStatus::aborted;
  }

  /// What models call a segment's context.
  SequenceId sequence(std::size_t segment) const { return ticket * kSegmentsPerRollout + segment; }
  static std::size_t ticket_of(SequenceId sequence) { return sequence / kSegmentsPerRollout; }
  std::span<const Token> context(std::size_t segment) const {
    return channel.rollout().segments[segment].context.tokens();
  }

  std::size_t ticket;
  RolloutSampling sampling;
  RandomStream random;
  JournalEntry journal;
  EpisodeChannel channel;
  Episode episode;
  bool waiting = false;      ///< for a model or a worker
  std::size_t failures = 0;  ///< of the request that is pending
  std::size_t retries = 0;   ///< of all requests
  typename ToolCaller<Protocol>::EpisodeCalls calls;
  std::size_t segments_released = 0;

 private:
  static constexpr SequenceId kSegmentsPerRollout = SequenceId{1} << 20;

  static EpisodeChannel channel_for(const RolloutStart& start, std::size_t max_context_tokens) {
    if (start.source == nullptr)
      return {*start.task, start.group, start.member, window, max_context_tokens};
    return {*start.task, *start.source, start.summary, start.member, window, max_context_tokens};
  }
};

}  // namespace dualagent::detail
