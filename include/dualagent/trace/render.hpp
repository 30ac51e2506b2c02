#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "dualagent/core/number_text.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/trace/rollout.hpp"
#include "dualagent/trace/training_view.hpp"

namespace dualagent {

/// What an Answerer's segment no longer shows of the segment that it continues.
struct Replacement {
  std::size_t segment = 0;         ///< the segment that it continues
  std::size_t dropped_tokens = 0;  ///< of that segment's turns, observations and summary
  std::size_t summary_tokens = 0;  ///< of the copy that stands for them; 0: dropped without summary
};

namespace detail {

inline bool is_made(const Span& span) {
  return span.is_generated() || span.provenance == Provenance::demonstration;
}

/// Tokens of the history that a later segment has to do without, unless it keeps or copies them.
inline bool is_history(const Span& span) {
  if (span.provenance == Provenance::prompt || span.provenance == Provenance::injected)
    return false;
  return !(is_made(span) && span.agent == AgentRole::summarizer);
}

}  // namespace detail

/// Finds what the context of `rollout.segments[segment]` replaced; nothing for the first segment
/// and for a Summarizer's own window.
inline std::optional<Replacement> find_replacement(const Rollout& rollout, std::size_t segment) {
  const Segment& child = rollout.segments.at(segment);
  if (child.owner != AgentRole::answerer || !child.parent) return std::nullopt;
  Replacement replacement{.segment = *child.parent};
  std::size_t kept = 0;
  for (const Span& span : child.context.spans()) {
    if (detail::is_made(span)) break;  // the new window's own turns begin
    if (span.provenance == Provenance::summary) replacement.summary_tokens += span.size;
    if (span.provenance == Provenance::action || span.provenance == Provenance::observation)
      kept += span.size;
  }
  std::size_t history = 0;
  for (const Span& span : rollout.segments.at(*child.parent).context.spans())
    if (detail::is_history(span)) history += span.size;
  replacement.dropped_tokens = history > kept ? history - kept : 0;
  return replacement;
}

/// Joins the texts of a span's tokens. `token_text(Token)` returns something string-like.
template <class TokenText>
std::string span_text(const Context& context, const Span& span, TokenText&& token_text,
                      std::string_view separator) {
  std::string text;
  for (std::size_t i = 0; i < span.size; ++i) {
    if (i > 0) text += separator;
    text += token_text(context.tokens(span)[i]);
  }
  return text;
}

struct RenderOptions {
  std::string_view token_separator = " ";  ///< "" for tokenizers whose tokens carry their spaces
};

namespace detail {

/// Five columns; capitals for what a model sampled, small letters for what it was given.
inline std::string_view render_label(const Span& span) {
  const bool answerer = span.agent == AgentRole::answerer;
  switch (span.provenance) {
    case Provenance::prompt:
      return "[task]";
    case Provenance::observation:
      return "[env] ";
    case Provenance::injected:
      return "[req] ";
    case Provenance::summary:
      return "[sum] ";
    case Provenance::action:
      return "[ans] ";
    case Provenance::demonstration:
      return answerer ? "[dANS]" : "[dSUM]";
    case Provenance::inherited:
      return answerer ? "[ans] " : "[sum] ";
    case Provenance::sampled:
      return answerer ? "[ANS] " : "[SUM] ";
  }
  return "[?]   ";
}

inline std::string render_title(const Rollout& rollout) {
  std::string text = "task " + printable(rollout.task_id) + ", rollout " +
                     std::to_string(rollout.member) + ": " + std::string(to_string(rollout.status));
  if (!rollout.ending.empty()) text += " (" + printable(rollout.ending) + ")";
  if (rollout.answer) text += ", answer \"" + printable(*rollout.answer) + "\"";
  return text + ", reward " + shortest_text(rollout.reward) + '\n';
}

inline std::string render_heading(const Rollout& rollout, std::size_t index) {
  const Segment& segment = rollout.segments[index];
  std::string text = "segment " + std::to_string(index + 1) + ", " +
                     std::string(to_string(segment.owner)) + ", " +
                     std::to_string(segment.context.size()) + " tokens";
  if (const std::optional<Replacement> replaced = find_replacement(rollout, index)) {
    const std::string dropped = std::to_string(replaced->dropped_tokens) + " tokens of segment " +
                                std::to_string(replaced->segment + 1);
    text += replaced->summary_tokens > 0
                ? "; a summary of " + std::to_string(replaced->summary_tokens) +
                      " tokens replaces " + dropped
                : "; without " + dropped;
  } else if (segment.parent) {
    text += "; summarizes segment " + std::to_string(*segment.parent + 1);
  }
  return text + '\n';
}

}  // namespace detail

/// A rollout as plain text for people: a title, a heading per segment, a line per span.
///
/// A line begins with who speaks: [ANS] and [SUM] in capitals were sampled, all else was given
/// ([task] prompt, [env] observation, [req] injected, [sum] copy of a summary, [ans] kept copy of a
/// turn, [dANS] and [dSUM] demonstrations). A `*` marks what is trained under `view`; see
/// `is_trained`. Headings say where a summary replaced what. Token texts go through `printable`, so
/// that hostile ones cannot steer a terminal.
/// Example: render(rollout, [&](Token t) { return vocabulary[t]; }, AllSegments{}).
template <class TokenText, TrainingView View>
std::string render(const Rollout& rollout, TokenText&& token_text, const View& view,
                   RenderOptions options = {}) {
  std::string text = detail::render_title(rollout);
  std::size_t trained_tokens = 0;
  std::size_t tokens = 0;
  for (std::size_t s = 0; s < rollout.segments.size(); ++s) {
    const Context& context = rollout.segments[s].context;
    text += detail::render_heading(rollout, s);
    tokens += context.size();
    for (const Span& span : context.spans()) {
      const bool trained = is_trained(view, rollout, s, span);
      trained_tokens += trained ? span.size : 0;
      text += detail::render_label(span);
      text += trained ? "* " : "  ";
      text += printable(span_text(context, span, token_text, options.token_separator)) + '\n';
    }
  }
  return text + "* trained: " + std::to_string(trained_tokens) + " of " + std::to_string(tokens) +
         " tokens\n";
}

}  // namespace dualagent
