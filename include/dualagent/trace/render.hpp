#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "dualagent/core/compiled.hpp"
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

/// Finds what the context of `rollout.segments[segment]` replaced; nothing for the first segment
/// and for a Summarizer's own window.
std::optional<Replacement> find_replacement(const Rollout& rollout, std::size_t segment);

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
std::string_view render_label(const Span& span);

std::string render_title(const Rollout& rollout);

std::string render_heading(const Rollout& rollout, std::size_t index);

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

#ifndef DUALAGENT_COMPILED
#include "dualagent/trace/render.inl"
#endif
