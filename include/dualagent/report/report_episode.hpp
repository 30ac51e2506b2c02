#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/types.hpp"
#include "dualagent/trace/render.hpp"
#include "dualagent/trace/rollout.hpp"
#include "dualagent/trace/span.hpp"
#include "dualagent/trace/training_view.hpp"

namespace dualagent {

/// A run of tokens as text, with what is known of their origin.
struct ReportSpan {
  Provenance provenance = Provenance::prompt;
  AgentRole agent = AgentRole::answerer;
  std::string text = {};
  std::size_t tokens = 0;
  bool trained = false;
  std::vector<VersionRun> weight_versions = {};  ///< of the sampling model
  std::optional<double> mean_log_prob = {};      ///< nats per token, of sampled spans
};

/// One context window as text.
struct ReportSegment {
  AgentRole owner = AgentRole::answerer;
  std::optional<std::size_t> parent = {};       ///< the segment that it continues or summarizes
  std::optional<Replacement> replacement = {};  ///< what it no longer shows of its parent
  std::vector<ReportSpan> spans = {};
};

/// A rollout as the episode viewer shows it.
struct ReportEpisode {
  std::string task = {};
  std::string stage = {};  ///< e.g. "before training"; episodes of one task are linked
  bool solved = false;
  std::string ending = {};  ///< why it ended
  std::string answer = {};
  std::string expected = {};  ///< the reference answer; empty: not shown
  double reward = 0;
  std::vector<ReportSegment> segments = {};
};

/// What the viewer says about an episode beside what the rollout knows.
struct EpisodeNotes {
  std::string stage = {};
  std::string expected = {};
  bool solved = false;
  std::string_view token_separator = " ";  ///< "" for tokenizers whose tokens carry their spaces
};

/// Turns a rollout into texts for the report, with what is trained under `view`; see `is_trained`.
/// `token_text` is that of `render`.
///
/// Example: make_report_episode(rollout, vocabulary_text, AllSegments{},
///              {.stage = "after training", .expected = task.answer, .solved = true}).
template <class TokenText, TrainingView View>
ReportEpisode make_report_episode(const Rollout& rollout, TokenText&& token_text, const View& view,
                                  const EpisodeNotes& notes) {
  ReportEpisode episode{.task = rollout.task_id,
                        .stage = notes.stage,
                        .solved = notes.solved,
                        .ending = rollout.ending,
                        .answer = rollout.answer.value_or(""),
                        .expected = notes.expected,
                        .reward = rollout.reward};
  for (std::size_t s = 0; s < rollout.segments.size(); ++s) {
    const Context& context = rollout.segments[s].context;
    ReportSegment segment{.owner = rollout.segments[s].owner,
                          .parent = rollout.segments[s].parent,
                          .replacement = find_replacement(rollout, s)};
    for (const Span& from : context.spans()) {
      ReportSpan span{.provenance = from.provenance,
                      .agent = from.agent,
                      .text = span_text(context, from, token_text, notes.token_separator),
                      .tokens = from.size,
                      .trained = is_trained(view, rollout, s, from)};
      if (from.is_sampled()) {
        span.weight_versions = version_runs(context.weight_versions(from));
        double sum = 0;
        for (std::size_t t = from.begin; t < from.end(); ++t)
          sum += static_cast<double>(context.log_probs()[t]);
        span.mean_log_prob = sum / static_cast<double>(from.size);
      }
      segment.spans.push_back(std::move(span));
    }
    episode.segments.push_back(std::move(segment));
  }
  return episode;
}

}  // namespace dualagent
