#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/trace/span.hpp"

namespace dualagent {

/// What one model sees in one context window: tokens, covered without gap by spans.
///
/// Append-only. Tokens, log-probabilities and weight versions have one length by construction;
/// those of a given token are 0 and are never read.
class Context {
 public:
  /// Appends tokens that no model sampled. Empty runs are ignored.
  /// Errors: throws on provenance `sampled`; sampled tokens come from a sampler.
  void append(const Given& given) { append(given.provenance, given.tokens, given.agent); }

  void append(Provenance provenance, std::span<const Token> tokens,
              AgentRole agent = AgentRole::answerer);

  /// Appends what a model sampled in this very context.
  void append(const Sampled& sampled);

  std::size_t size() const { return tokens_.size(); }
  bool empty() const { return tokens_.empty(); }
  std::span<const Token> tokens() const { return tokens_; }        // [size]
  std::span<const float> log_probs() const { return log_probs_; }  // [size]
  /// [size] of the distributions that were drawn from, see Sampled.
  std::span<const float> drawn_log_probs() const {
    return drawn_log_probs_.empty() ? log_probs_ : drawn_log_probs_;
  }
  /// [size] of the weights that each sampled token was drawn from.
  std::span<const WeightVersion> weight_versions() const { return weight_versions_; }
  std::span<const Span> spans() const { return spans_; }
  std::span<const Token> tokens(const Span& span) const {
    return tokens().subspan(span.begin, span.size);
  }
  std::span<const WeightVersion> weight_versions(const Span& span) const {
    return weight_versions().subspan(span.begin, span.size);
  }

 private:
  std::vector<Token> tokens_;
  std::vector<float> log_probs_;
  std::vector<float> drawn_log_probs_;  // [size], or empty: they are log_probs_
  std::vector<WeightVersion> weight_versions_;
  std::vector<Span> spans_;
};

/// Number of turns the Answerer has taken in this context, kept copies included.
std::size_t count_turns(const Context& context);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/trace/context.inl"
#endif
